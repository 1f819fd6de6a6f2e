"""The short form of a schema."""

from __future__ import annotations

from typing import Any

import pytest

from llm_orc.schemas.bad import BadSchema
from llm_orc.schemas.check import problems_of
from llm_orc.schemas.short import expanded
from llm_orc.schemas.validate import checker_for


def test_fields_with_their_types() -> None:
    schema = expanded(
        {"title": "string", "score": "number", "tags": ["string"], "verdict": ["pass", "fail"], "note?": "any"}
    )

    assert problems_of(schema) == []
    complaints = checker_for(schema).complaints
    good: dict[str, Any] = {"title": "a", "score": 1.5, "tags": ["x"], "verdict": "pass"}
    assert complaints(good) == ()
    assert complaints({**good, "note": None}) == ()
    assert complaints({**good, "more": 1}) == ("Additional properties are not allowed ('more' was unexpected)",)
    assert complaints({**good, "verdict": "maybe"}) == ('`verdict`: "maybe" is not one of "pass" or "fail"',)
    assert complaints({**good, "tags": ["x", 2]}) == ('`tags[1]`: 2 is not of type "string"',)


def test_forms_nest_in_each_other() -> None:
    schema = expanded([{"name": "string", "score": {"type": "integer", "minimum": 1}, "at": {"x": "number"}}])

    assert checker_for(schema).complaints([{"name": "a", "score": 1, "at": {"x": 0}}]) == ()
    assert checker_for(schema).complaints([{"name": "a", "score": 0, "at": {"x": 0}}]) == (
        "`[0].score`: 0 is less than the minimum of 1",
    )


def test_a_json_schema_is_left_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}

    assert expanded(schema) is schema


@pytest.mark.parametrize(
    ("written", "message", "path"),
    [
        ({"title": "sting"}, "has `sting`, which is no type", ("title",)),
        ({"verdict": ["pass"]}, "has `pass`, which is no type", ("verdict", 0)),
        ({"a": ["string", "number"]}, "this has the type `string`", ("a", 0)),
        ({"a": []}, "is an empty list", ("a",)),
        ({"a": {"b": None}}, "has no type here", ("a", "b")),
        ({"a": "string", "a?": "string"}, "has the field `a` twice", ("a?",)),
        ({"type": "string", "title": "string", "score": "number"}, "can be read in two ways", ("type",)),
        ({"items": ["string"], "total": "number"}, "can be read in two ways", ("items",)),
        ({}, "is empty", ()),
        ("string", "must be a mapping", ()),
    ],
)
def test_what_is_neither_is_said_at_its_place(written: Any, message: str, path: tuple[object, ...]) -> None:
    with pytest.raises(BadSchema) as raised:
        expanded(written)

    assert message in raised.value.message
    assert raised.value.path == path
