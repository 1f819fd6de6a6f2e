"""Read an answer back that was asked for by a translated schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.schemas.walk import target_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

_DEEPEST = 64


def without_nulls(value: JsonValue, schema: Schema) -> JsonValue:
    """Return the value without the nulls that stand for properties that may be missing and not be null.

    Some protocols want each property to be there.
    """
    return _pruned(value, [schema], schema, 0)


def _pruned(value: JsonValue, schemas: list[JsonValue], root: Schema, depth: int) -> JsonValue:
    if depth > _DEEPEST:
        return value
    parts = _all_in_place(schemas, root)
    if isinstance(value, dict):
        kept: dict[str, JsonValue] = {}
        for name, inner in value.items():
            found = [properties[name] for part in parts if name in (properties := _mapping(part, "properties"))]
            required = any(name in listed for part in parts if isinstance(listed := part.get("required"), list))
            if inner is None and found and not required and not _takes_null(found, root):
                continue
            kept[name] = _pruned(inner, found, root, depth + 1) if found else inner
        return kept
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        return [_pruned(inner, items, root, depth + 1) for inner in value] if items else value
    return value


def _mapping(part: Schema, key: str) -> dict[str, JsonValue]:
    found = part.get(key)
    return found if isinstance(found, dict) else {}


def _all_in_place(schemas: list[JsonValue], root: Schema) -> list[Schema]:
    found: dict[int, Schema] = {}
    waiting = [*schemas]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict) or id(part) in found:
            continue
        found[id(part)] = part
        for key in ("anyOf", "oneOf", "allOf"):
            listed = part.get(key)
            waiting += listed if isinstance(listed, list) else []
        if isinstance(reference := part.get("$ref"), str):
            waiting.append(target_of(root, reference))
    return [*found.values()]


def _takes_null(schemas: list[JsonValue], root: Schema) -> bool:
    for part in _all_in_place(schemas, root):
        types = part.get("type")
        if types == "null" or (isinstance(types, list) and "null" in types) or part.get("const", ...) is None:
            return True
        if isinstance(values := part.get("enum"), list) and None in values:
            return True
    return any(not isinstance(part, dict) or not part for part in schemas)
