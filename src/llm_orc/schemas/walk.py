"""The parts of a schema: what lies within it, and what its references stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.jsontypes import JsonValue

Schema = dict[str, "JsonValue"]
Path = tuple[str | int, ...]

IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
IN_PLACE = ("not", "if", "then", "else")
IN_PLACE_MAPPINGS = ("dependentSchemas",)
OF_CHILD_MAPPINGS = ("properties", "patternProperties")
OF_CHILD = (
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "contains",
    "unevaluatedItems",
)
OF_CHILD_LISTS = ("prefixItems",)
DEFINITIONS = ("$defs", "definitions")


def parts_of(schema: JsonValue) -> Iterator[tuple[Path, JsonValue]]:
    """Yield the schemas directly within `schema`, each with its path from there. References are not followed."""
    if not isinstance(schema, dict):
        return
    for key in (*IN_PLACE, *OF_CHILD):
        if key in schema:
            yield (key,), schema[key]
    for key in (*IN_PLACE_MAPPINGS, *OF_CHILD_MAPPINGS, *DEFINITIONS):
        inside = schema.get(key)
        if isinstance(inside, dict):
            yield from (((key, name), part) for name, part in inside.items())
    for key in (*IN_PLACE_LISTS, *OF_CHILD_LISTS):
        listed = schema.get(key)
        if isinstance(listed, list):
            yield from (((key, i), part) for i, part in enumerate(listed))


def all_parts(schema: JsonValue) -> Iterator[tuple[Path, JsonValue]]:
    """Yield the schema and every one within it, each before its parts, with its path."""
    waiting: list[tuple[Path, JsonValue]] = [((), schema)]
    while waiting:
        path, part = waiting.pop()
        yield path, part
        waiting += [((*path, *below), inner) for below, inner in parts_of(part)]


def target_of(root: JsonValue, reference: str) -> JsonValue:
    """Return what a reference within the document stands for. Raises `LookupError`."""
    found = root
    if reference == "#":
        return found
    if not reference.startswith("#/"):
        raise LookupError(reference)
    for step in unquote(reference[2:]).split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise LookupError(reference)
    if isinstance(found, dict | bool):
        return found
    raise LookupError(reference)


def in_place_parts(root: JsonValue, schema: JsonValue) -> Iterator[JsonValue]:
    """Yield the schemas that hold for the same value as `schema`, references followed by one step."""
    if not isinstance(schema, dict):
        return
    for key in IN_PLACE_LISTS:
        listed = schema.get(key)
        if isinstance(listed, list):
            yield from listed
    for key in IN_PLACE:
        if key in schema:
            yield schema[key]
    for key in IN_PLACE_MAPPINGS:
        inside = schema.get(key)
        if isinstance(inside, dict):
            yield from inside.values()
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield target_of(root, reference)
