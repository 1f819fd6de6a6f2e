"""What is wrong with a schema that a person has written: found when it is read, each at its place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llm_orc.schemas.bad import BadSchema
from llm_orc.schemas.effort import EndlessReference, visits_by_depth
from llm_orc.schemas.plain import is_plain
from llm_orc.schemas.validate import checker_for
from llm_orc.schemas.walk import all_parts, target_of
from llm_orc.storage.suggest import did_you_mean, slip_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Path, Schema

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MOST_PARTS = 5_000
_MOST_VALUES = 50_000
_DEEPEST = 64
_LEAST_LEVELS = 8  # of an answer that have to be checkable
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_KEYWORDS = (
    *("$schema", "$id", "$ref", "$defs", "$comment", "definitions", "title", "description", "default", "examples"),
    *("deprecated", "readOnly", "writeOnly", "type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if"),
    *("then", "else", "dependentSchemas", "dependentRequired", "properties", "patternProperties", "required"),
    *("additionalProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties"),
    *("unevaluatedItems", "prefixItems", "items", "contains", "minContains", "maxContains", "minItems"),
    *("maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format", "contentEncoding"),
    *("contentMediaType", "contentSchema", "multipleOf", "minimum", "maximum", "exclusiveMinimum"),
    "exclusiveMaximum",
)
_NOT_TAKEN = {
    "$dynamicRef": "Write `$ref: '#/$defs/NAME'`.",
    "$recursiveRef": "Write `$ref: '#/$defs/NAME'`.",
    "nullable": 'JSON Schema says it with a list of types: `type: [string, "null"]`.',
    "discriminator": "JSON Schema says it with `anyOf` and a `const` in each.",
}


def problems_of(schema: Schema) -> list[BadSchema]:
    """Return everything that is wrong with it; empty: values can be checked by it."""
    if (size := _size_problem(schema)) is not None:
        return [size]
    found = [*_problems(schema)]
    if found:
        return found
    try:
        if not is_plain(schema):
            checker_for(schema)
        levels = len(visits_by_depth(schema))
    except BadSchema as e:
        return [e]
    except EndlessReference:
        return [BadSchema("refers to itself without going into the value, so that checking would never end")]
    if levels < _LEAST_LEVELS:
        return [BadSchema("multiplies its work with every level of a value: checking one would take too long")]
    return []


def _size_problem(schema: Schema) -> BadSchema | None:
    """Look at the values level by level: one that a YAML alias repeats counts each time."""
    level: list[JsonValue] = [schema]
    count, depth = 1, 0
    while level:
        level = [
            one
            for item in level
            for one in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        count, depth = count + len(level), depth + 1
        if count > _MOST_VALUES:
            return BadSchema(f"has more than {_MOST_VALUES:,} values")
        if depth > _DEEPEST:
            return BadSchema(f"is nested more than {_DEEPEST} deep")
        if any(isinstance(one, float) and not math.isfinite(one) for one in level):
            return BadSchema("has `.inf` or `.nan`, which JSON can't carry")
    return None


def _problems(schema: Schema) -> Iterator[BadSchema]:
    for number, (path, part) in enumerate(all_parts(schema)):
        if number > _MOST_PARTS:
            yield BadSchema(f"has more than {_MOST_PARTS:,} parts")
            return
        if not isinstance(part, dict | bool) and path[-1:] != ("items",):
            yield BadSchema("must be a schema: a mapping, `true` or `false`", path)
        if isinstance(part, dict):
            yield from _of_part(schema, path, part)


def _of_part(root: Schema, path: Path, part: Schema) -> Iterator[BadSchema]:
    yield from _of_names(path, part)
    yield from _of_type(path, part.get("type"), is_there="type" in part)
    draft = part.get("$schema", _DRAFT)
    if not isinstance(draft, str) or draft.rstrip("#") != _DRAFT:
        yield BadSchema(
            f"is of another draft, `{str(draft)[:80]}`",
            (*path, "$schema"),
            "Schemas here are of draft 2020-12. Leave `$schema` out if yours says the same in that.",
        )
    if path and "$id" in part:
        yield BadSchema("has an `$id` of its own", (*path, "$id"), "Leave it out, and refer to `#/$defs/NAME`.")
    if "$ref" in part:
        yield from _of_reference(root, (*path, "$ref"), part["$ref"])
    if part.get("additionalProperties") is False:
        yield from _of_required(path, part)
    if isinstance(part.get("items"), list):
        yield BadSchema("has a list, as older drafts", (*path, "items"), "Write `prefixItems: […]` for a tuple.")
    elif "items" in part and not isinstance(part["items"], dict | bool):
        yield BadSchema("must be a schema: a mapping, `true` or `false`", (*path, "items"))


def _of_names(path: Path, part: Schema) -> Iterator[BadSchema]:
    for key in part:
        if key in _NOT_TAKEN:
            yield BadSchema(f"has `{key}`, which has no effect here", (*path, key), _NOT_TAKEN[key])
        elif key not in _KEYWORDS and (slip := slip_of(key, _KEYWORDS)) is not None:
            yield BadSchema(f"has the unknown keyword `{key}`", (*path, key), f"Did you mean `{slip}`?")


def _of_type(path: Path, written: JsonValue, *, is_there: bool) -> Iterator[BadSchema]:
    if not is_there:
        return
    for i, one in enumerate(written if isinstance(written, list) else [written]):
        if one not in _TYPES or not isinstance(one, str):
            place = (*path, "type", i) if isinstance(written, list) else (*path, "type")
            said = "`null` without quotes" if one is None else f"`{str(one)[:40]}`"
            question = did_you_mean(one, _TYPES) if isinstance(one, str) else None
            if one is None:
                question = 'Put it in quotes: `"null"`.'
            yield BadSchema(
                f"has {said}, which is no type", place, question or f"The types are {', '.join(_TYPES)}."
            )


def _of_reference(root: Schema, path: Path, reference: JsonValue) -> Iterator[BadSchema]:
    if not isinstance(reference, str):
        yield BadSchema("must be text", path)
        return
    try:
        target_of(root, reference)
    except LookupError:
        if not reference.startswith("#"):
            yield BadSchema(
                f"refers to `{reference[:80]}`, which is not in this schema, and nothing is fetched",
                path,
                "Put it under `$defs`, and refer to `#/$defs/NAME`.",
            )
            return
        defined = [f"#/{key}/{name}" for key in ("$defs", "definitions") for name in _names_in(root, key)]
        listed = f"There are {', '.join(f'`{one}`' for one in defined[:8])}." if defined else None
        yield BadSchema(
            f"refers to `{reference[:80]}`, which is not there", path, did_you_mean(reference, defined) or listed
        )


def _names_in(root: Schema, key: str) -> list[str]:
    inside = root.get(key)
    return [*inside] if isinstance(inside, dict) else []


def _of_required(path: Path, part: Schema) -> Iterator[BadSchema]:
    """With no other properties allowed, each that is required has to be one of them."""
    required, properties = part.get("required"), part.get("properties", {})
    if not isinstance(required, list) or not isinstance(properties, dict) or "patternProperties" in part:
        return
    for i, name in enumerate(required):
        if isinstance(name, str) and name not in properties:
            yield BadSchema(
                f"requires `{name[:80]}`, which is none of the `properties`, and no others are allowed",
                (*path, "required", i),
                did_you_mean(name, properties),
            )
