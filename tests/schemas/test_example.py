"""An example satisfies its schema, and values are judged as another validator judges them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from llm_orc.schemas.check import problems_of
from llm_orc.schemas.example import NoExample, example_of
from llm_orc.schemas.validate import checker_for
from tests.examples import many
from tests.schemas.any_schemas import SCHEMAS, VALUES


@settings(max_examples=many(400, few=40))
@given(SCHEMAS)
def test_an_example_of_what_people_write_is_found_and_right(schema: dict[str, Any]) -> None:
    assert problems_of(schema) == []
    try:
        example = example_of(schema)
    except NoExample:
        return

    wrong = checker_for(schema).complaints(example)

    # It does not look at these; who makes one checks it.
    assert not wrong or any(
        word in str(schema) for word in ("pattern", "allOf", "oneOf", "$ref", "uniqueItems", "anyOf", "format")
    )


@settings(max_examples=many(400, few=40))
@given(SCHEMAS, VALUES)
def test_values_are_judged_as_by_another_validator(schema: dict[str, Any], value: Any) -> None:
    is_right = jsonschema.Draft202012Validator(schema).is_valid(value)

    # Formats are only checked here; that validator takes them for notes.
    assert "format" in str(schema) or is_right == (not checker_for(schema).complaints(value))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string", "minLength": 90}, "b": {"enum": [3]}}},
        {"type": "array", "items": {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 3}, "minItems": 3},
        {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "number"}, "minProperties": 3},
        {"anyOf": [False, {"$ref": "#/$defs/d"}], "$defs": {"d": {"type": "string", "format": "uuid"}}},
        {"type": "string", "maxLength": 2},
        {"allOf": [{"type": "object", "properties": {"a": {}}, "required": ["a"]}, {"required": ["b"]}]},
    ],
)
def test_an_example_looks_at_the_limits(schema: Any) -> None:
    assert checker_for(schema).complaints(example_of(schema)) == ()


def test_an_example_of_a_tree_is_small() -> None:
    node = {"type": "object", "properties": {"l": {"$ref": "#/$defs/n"}, "r": {"$ref": "#/$defs/n"}}}

    assert len(str(example_of({"$ref": "#/$defs/n", "$defs": {"n": node}}))) < 300
