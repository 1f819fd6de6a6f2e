"""What is wrong with a schema, and values that are checked by one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llm_orc.schemas.check import problems_of
from llm_orc.schemas.effort import MOST_DEPTH, visits_by_depth
from llm_orc.schemas.validate import checker_for

TREE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}},
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "message", "path", "hint"),
    [
        ({"type": "objct"}, "has `objct`, which is no type", ("type",), "Did you mean `object`?"),
        ({"anyOf": [{"type": ["string", None]}]}, "without quotes", ("anyOf", 0, "type", 1), '`"null"`'),
        ({"propertes": {}}, "unknown keyword `propertes`", ("propertes",), "Did you mean `properties`?"),
        ({"properties": {"a": {"minimum": "x"}}}, "is no JSON Schema", ("properties", "a", "minimum"), ""),
        ({"properties": {"a": 3}}, "must be a schema", ("properties", "a"), ""),
        ({"items": [{"type": "string"}]}, "older drafts", ("items",), "`prefixItems: […]`"),
        ({"$ref": "https://example.com/s.json"}, "nothing is fetched", ("$ref",), "`$defs`"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched", ("$ref",), "`$defs`"),
        ({"$ref": "#/$defs/nod", "$defs": {"node": {}}}, "is not there", ("$ref",), "`#/$defs/node`"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "another draft", ("$schema",), "2020-12"),
        ({"type": "string", "nullable": True}, "has no effect here", ("nullable",), '[string, "null"]'),
        ({"type": "string", "pattern": "("}, "no regular expression", ("pattern",), ""),
        (
            {"type": "object", "properties": {"name": {}}, "required": ["nam"], "additionalProperties": False},
            "requires `nam`",
            ("required", 0),
            "Did you mean `name`?",
        ),
        ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "refers to itself", (), ""),
    ],
)
def test_a_problem_has_its_place_and_a_way_out(schema: Any, message: str, path: Any, hint: str) -> None:
    if "$defs" in schema and "$ref" not in schema:
        schema = {**schema, "$ref": "#/$defs/a"}

    (problem,) = problems_of(schema)

    assert message in problem.message
    assert problem.path == path
    assert hint in (problem.hint or "")


def test_all_problems_are_found_at_once() -> None:
    problems = problems_of({"type": "objct", "properties": {"a": {"type": "strng"}, "b": {"$ref": "#/x"}}})

    assert {problem.path for problem in problems} == {
        ("type",),
        ("properties", "a", "type"),
        ("properties", "b", "$ref"),
    }


def _doubling(times: int) -> dict[str, Any]:
    parts: dict[str, Any] = {"a0": {"type": "string"}}
    for i in range(1, times + 1):
        parts[f"a{i}"] = {"anyOf": [{"$ref": f"#/$defs/a{i - 1}"}, {"$ref": f"#/$defs/a{i - 1}"}]}
    return {"$ref": f"#/$defs/a{times}", "$defs": parts}


@pytest.mark.parametrize(
    "schema",
    [
        _doubling(40),
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"anyOf": [{"items": {"$ref": "#/$defs/a"}}] * 9 + [{"type": "null"}]}},
        },
        {"type": "string", "pattern": "(a{1000}){1000}"},
    ],
    ids=["doubles", "multiplies with each level", "pattern"],
)
def test_a_schema_that_takes_too_long_is_refused(schema: Any) -> None:
    began = time.monotonic()

    assert problems_of(schema)
    assert time.monotonic() - began < 2


def test_a_recursive_schema_is_no_problem() -> None:
    assert problems_of(TREE) == []
    assert len(visits_by_depth(TREE)) == MOST_DEPTH + 1


def test_a_hostile_value_neither_hangs_nor_ends_the_process() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"left": deep}

    assert checker_for(TREE).complaints(deep) == (f"it is nested more than {MOST_DEPTH} deep",)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=(a+)+$)x", r"^(a+)+\1$"])
def test_no_pattern_hangs(pattern: str) -> None:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern}
    assert problems_of(schema) == []
    began = time.monotonic()

    assert checker_for(schema).complaints("a" * 5_000 + "b")
    assert time.monotonic() - began < 2


def test_a_large_wrong_value_is_soon_found_wrong() -> None:
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    began = time.monotonic()

    assert checker_for(schema).complaints([*range(100_000)]) == ('`[0]`: 0 is not of type "string"',)
    assert time.monotonic() - began < 1


def test_of_several_forms_the_closest_says_what_is_wrong() -> None:
    part: dict[str, Any] = {
        "type": "object",
        "properties": {"k": {"const": "a"}, "v": {"type": "string"}},
        "required": ["k", "v"],
    }

    (complaint,) = checker_for({"anyOf": [{"type": "null"}, part]}).complaints({"k": "a"})

    assert complaint.endswith('("v" is a required property)')
