"""Schemas that are certainly valid, seen without loading the checker: files are read more often than answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


def is_plain(schema: Schema) -> bool:
    """Return whether it has nothing but simple keywords, each with a value of the right kind."""
    return all(key in _KEYWORDS and _KEYWORDS[key](value) for key, value in schema.items())


def _text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _schema(value: JsonValue) -> bool:
    return isinstance(value, bool) or (isinstance(value, dict) and is_plain(value))


def _schemas(value: JsonValue) -> bool:
    return isinstance(value, dict) and all(map(_schema, value.values()))


def _names(value: JsonValue) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and len({*map(str, value)}) == len(value)


_KEYWORDS: dict[str, Callable[[JsonValue], bool]] = {
    "type": lambda value: isinstance(value, str) and value in _TYPES,
    "enum": lambda value: isinstance(value, list) and bool(value) and all(map(_text, value)),
    "properties": _schemas,
    "required": _names,
    "additionalProperties": _schema,
    "items": _schema,
    **dict.fromkeys(("title", "description"), _text),
    **dict.fromkeys(("minimum", "maximum"), _number),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _count),
}
