"""What is sent of a schema is taken by the official SDKs' own checks, and what comes back by it fits the schema."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings

from llm_orc.catalog.rows import DialectName
from llm_orc.providers.structured.restore import without_nulls
from llm_orc.providers.structured.subset import SUBSETS
from llm_orc.providers.structured.translate import WRAPPED, translated
from llm_orc.schemas.example import NoExample, example_of
from llm_orc.schemas.validate import checker_for
from llm_orc.schemas.walk import all_parts
from tests.examples import is_thorough, many
from tests.schemas.any_schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_OPENAI = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "enum",
        "const",
        "$ref",
        "$defs",
        "description",
        "title",
        "pattern",
        "format",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "minItems",
        "maxItems",
    ]
)
# https://ai.google.dev/gemini-api/docs/structured-output: the table in `GenerationConfig.responseJsonSchema`.
_GEMINI = frozenset(
    [
        "$id",
        "$defs",
        "$ref",
        "$anchor",
        "type",
        "format",
        "title",
        "description",
        "enum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "anyOf",
        "oneOf",
        "properties",
        "additionalProperties",
        "required",
        "propertyOrdering",
    ]
)


def _parts(sent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, part in all_parts(sent):
        if path[-1:] != ("additionalProperties",):
            assert isinstance(part, dict)
            yield part


def taken_by_anthropic(sent: dict[str, Any]) -> None:
    """Their own translation leaves it as it is: nothing had to be moved into a description."""
    if is_thorough():
        from anthropic import transform_schema

        assert transform_schema(copy.deepcopy(sent)) == sent


def taken_by_openai(sent: dict[str, Any]) -> None:
    if is_thorough():
        from openai.lib._pydantic import _ensure_strict_json_schema

        strict = _ensure_strict_json_schema(copy.deepcopy(sent), path=(), root=copy.deepcopy(sent))
        assert strict == sent
    assert sent["type"] == "object"
    assert "anyOf" not in sent
    for part in _parts(sent):
        assert _OPENAI.issuperset(part)
        assert "$ref" not in part or len(part) == 1 or part is sent
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == [*part["properties"]]


def taken_by_gemini(sent: dict[str, Any]) -> None:
    for part in _parts(sent):
        assert _GEMINI.issuperset(part)
        if "$ref" in part:
            assert all(key.startswith("$") for key in part)
    if is_thorough():
        from google.genai.types import JSONSchema

        JSONSchema.model_validate(sent)


TAKEN = {
    "anthropic": taken_by_anthropic,
    "openai-chat": taken_by_openai,
    "openai-responses": taken_by_openai,
    "gemini": taken_by_gemini,
}


@pytest.mark.parametrize("dialect", get_args(DialectName))
@settings(max_examples=many(2_000, few=40))
@given(schema=SCHEMAS)
def test_what_is_sent_is_taken_and_what_comes_back_fits(dialect: DialectName, schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)

    sent = translated(schema, SUBSETS[dialect])

    assert schema == before
    if sent is None:
        return
    TAKEN[dialect](sent.schema)
    checker = checker_for(sent.schema)
    try:
        example = example_of(schema)
    except NoExample:
        return
    if checker_for(schema).complaints(example) or checker_for(schema).complaints(pruned := example):
        return
    whole: dict[str, Any] = sent.schema
    answer = _as_asked(example, whole["properties"][WRAPPED] if sent.is_wrapped else whole, whole)
    wrapped = {WRAPPED: answer} if sent.is_wrapped else answer
    assert checker.complaints(wrapped) == (), "what satisfies the schema could not have been said"
    back = without_nulls(answer, schema)
    assert checker_for(schema).complaints(answer) == () or back == pruned


def _as_asked(value: Any, sent: Any, root: dict[str, Any]) -> Any:
    """Return the value with a null for each property that has to be there and isn't."""
    if not isinstance(sent, dict):
        return value
    if "$ref" in sent:
        return _as_asked(value, root["$defs"][sent["$ref"].rpartition("/")[2]], root)
    for branch in sent.get("anyOf", []):
        filled = _as_asked(value, branch, root)
        if not checker_for({**branch, "$defs": root.get("$defs", {})}).complaints(filled):
            return filled
    if isinstance(value, dict):
        properties = sent.get("properties", {})
        missing = {name: None for name in sent.get("required", []) if name not in value}
        return {**{name: _as_asked(inner, properties.get(name), root) for name, inner in value.items()}, **missing}
    if isinstance(value, list):
        return [_as_asked(inner, sent.get("items"), root) for inner in value]
    return value


FLAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 3, "description": "What it is called."},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
        "note": {"type": "string"},
    },
    "required": ["title", "score"],
}


def _sent(schema: dict[str, Any], dialect: DialectName) -> dict[str, Any]:
    sent = translated(schema, SUBSETS[dialect])
    assert sent is not None
    return sent.schema


def test_what_can_not_be_sent_is_said_in_the_description() -> None:
    anthropic, openai, gemini = (_sent(FLAT, one) for one in ("anthropic", "openai-chat", "gemini"))

    assert anthropic["properties"]["title"]["description"] == 'What it is called.\n\n{"minLength": 3}'
    assert anthropic["properties"]["score"]["description"] == '{"minimum": 1, "maximum": 5}'
    assert openai["properties"]["score"] == FLAT["properties"]["score"]
    assert gemini["properties"]["score"] == FLAT["properties"]["score"]


def test_where_all_fields_have_to_be_there_one_that_may_be_missing_may_be_null() -> None:
    sent = _sent(FLAT, "openai-chat")

    assert sent["required"] == ["title", "score", "note"]
    assert sent["properties"]["note"] == {"type": ["string", "null"]}
    assert without_nulls({"title": "abc", "score": 1, "note": None}, FLAT) == {"title": "abc", "score": 1}


def test_a_null_that_the_schema_allows_stays() -> None:
    schema = {**FLAT, "properties": {**FLAT["properties"], "note": {"type": ["string", "null"]}}}

    assert without_nulls({"note": None}, schema) == {"note": None}


def test_a_value_that_is_no_object_is_asked_for_in_one() -> None:
    listed: dict[str, Any] = {"type": "array", "items": {"type": "string"}}

    assert translated(listed, SUBSETS["gemini"]) is not None
    sent = translated(listed, SUBSETS["openai-responses"])
    assert sent is not None
    assert sent.is_wrapped
    assert sent.schema["properties"] == {"value": listed}


@pytest.mark.parametrize(
    ("schema", "dialects"),
    [
        ({"type": "object", "additionalProperties": {"type": "number"}}, ["anthropic", "openai-chat", "gemini"]),
        ({"type": "object"}, ["anthropic", "openai-chat"]),
        ({}, ["anthropic", "openai-chat", "gemini"]),
        ({"enum": [{"a": 1}]}, ["anthropic", "openai-chat", "gemini"]),
        (
            {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}}},
            ["anthropic", "gemini"],
        ),
    ],
)
def test_what_a_protocol_has_no_way_to_say_is_left_to_the_prompt(schema: Any, dialects: list[DialectName]) -> None:
    assert [
        one for one in ("anthropic", "openai-chat", "gemini") if translated(schema, SUBSETS[one]) is None
    ] == dialects


@pytest.mark.parametrize(
    ("dialect", "old", "new"),
    [
        (
            "anthropic",
            ["claude-3-7-sonnet-latest", "claude-sonnet-4-20250514", "claude-opus-4-0"],
            ["claude-opus-4-1", "claude-sonnet-4-5", "claude-sonnet-5-5"],
        ),
        (
            "openai-chat",
            ["gpt-4", "gpt-3.5-turbo", "gpt-4-turbo", "o1-mini"],
            ["gpt-4o", "gpt-4.1", "o3", "qwen3"],
        ),
        ("gemini", ["gemini-1.5-pro"], ["gemini-2.5-flash", "gemini-3.8-flash"]),
    ],
)
def test_models_that_are_known_not_to_take_a_schema(dialect: DialectName, old: list[str], new: list[str]) -> None:
    names = SUBSETS[dialect].not_models

    assert [name for name in (*old, *new) if names.search(name)] == old
