"""What is taken for valid without the checker is valid for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.schemas.plain import _KEYWORDS, is_plain
from llm_orc.schemas.validate import checker_for

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["string", "a", True, False, 0, 1, -1, 2.5, None, [], {}, ["a", "b"], ["a", "a"], ["a", 1]]),
    lambda inner: (
        st.dictionaries(st.sampled_from([*_KEYWORDS, "a"]), inner, max_size=3) | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*_KEYWORDS]), VALUES, max_size=4))
def test_a_plain_schema_is_valid(schema: dict[str, Any]) -> None:
    if is_plain(schema):
        checker_for(schema)  # raises for one that is not


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"enum": ["x"]}}},
                "required": ["a"],
            },
            True,
        ),
        ({"properties": {"a": {"minimum": "x"}}}, False),
        ({"type": "string", "pattern": "a"}, False),
        ({"$ref": "#"}, False),
    ],
)
def test_only_simple_keywords_are_plain(schema: dict[str, Any], *, plain: bool) -> None:
    assert is_plain(schema) is plain
