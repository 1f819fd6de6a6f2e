"""The schema of a tool's parameters as every protocol takes it: an object at its top, without alternatives there.

Beyond that it goes out as it is: arguments are checked against the whole schema before a tool is called.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.schemas.walk import DEFINITIONS, Schema

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import ToolOffer

_META = frozenset({"$schema", "$id", "$comment"})
_NOT_AT_THE_TOP = ("anyOf", "oneOf", "allOf", "not", "enum", "const", "if", "then", "else")
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")


def parameters_of(tool: ToolOffer) -> Schema:
    """Return the schema to send. What can't stand at its top is said in its description instead."""
    schema = _resolved(tool.parameters)
    kept = {key: value for key, value in schema.items() if key not in _META and key not in _NOT_AT_THE_TOP}
    left_out = {key: schema[key] for key in _NOT_AT_THE_TOP if key in schema}
    properties = kept.get("properties")
    named = dict(properties) if isinstance(properties, dict) else {}
    for part in _parts(left_out):
        inside = part.get("properties")
        named = {**inside, **named} if isinstance(inside, dict) else named
    kept |= {"type": "object", "properties": named}
    if left_out:
        said = f"It has to satisfy this JSON Schema as well: {json.dumps(left_out, ensure_ascii=False)}"
        before = kept.get("description")
        kept["description"] = f"{before} {said}" if isinstance(before, str) else said
    return kept


def _resolved(schema: Schema) -> Schema:
    """Return the schema with what its top refers to in the place of the reference."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: JsonValue = schema
    for step in reference[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    if not isinstance(found, dict) or "$ref" in found:
        return schema
    definitions = {key: schema[key] for key in DEFINITIONS if key in schema}
    return {**found, **definitions, **{key: value for key, value in schema.items() if key != "$ref"}}


def _parts(left_out: Schema) -> list[Schema]:
    lists = [value for key in _ALTERNATIVES if isinstance(value := left_out.get(key), list)]
    return [part for parts in lists for part in parts if isinstance(part, dict)]
