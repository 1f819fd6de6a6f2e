"""The short form of a schema: `{title: string, tags: [string], verdict: [pass, fail], note?: string}`.

A mapping is an object with these fields and no other. Each has to be there, unless its name ends with `?`. Its
value is a type (`string`, `number`, `integer`, `boolean`, `object`, `array`, `any`); a list of one of these forms,
which is a list of such values; a list of several values, which are the choice; or a mapping, in either form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.schemas.bad import BadSchema
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Path, Schema

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_WORDS = ("string", "number", "integer", "boolean", "object", "array", "any")
_MARKS = (
    *("$schema", "$ref", "$defs", "$id", "type", "properties", "anyOf", "oneOf", "allOf", "enum", "const"),
    *("items", "required", "additionalProperties"),
)
"""A mapping with one of these keys is a JSON Schema. A field of such a name needs the long form."""
_OBJECTS_LIMIT = 64  # deep


def is_long_form(written: JsonValue) -> bool:
    """Return whether a mapping is a JSON Schema, and not the short form."""
    return isinstance(written, dict) and any(key in written for key in _MARKS)


def expanded(written: JsonValue) -> Schema:
    """Return the JSON Schema of what is written in either form. Raises `BadSchema`."""
    if isinstance(written, dict) and is_long_form(written):
        _refuse_two_readings(written, ())
        return written
    if not isinstance(written, dict | list):
        raise BadSchema("must be a mapping: fields with their types, or a JSON Schema")
    if not written:
        raise BadSchema("is empty", hint="Name the fields, `{title: string, score: number}`.")
    return _part(written, ())


def _part(written: JsonValue, path: Path) -> Schema:
    if len(path) > _OBJECTS_LIMIT:
        raise BadSchema(f"is nested more than {_OBJECTS_LIMIT} deep", path)
    match written:
        case dict() if is_long_form(written):
            _refuse_two_readings(written, path)
            return written
        case dict():
            return _object(written, path)
        case list():
            return _list(written, path)
        case "any":
            return {}
        case str() if written in _WORDS:
            return {"type": written}
        case _:
            shown = f"has `{str(written)[:40]}`, which is no type" if written is not None else "has no type here"
            question = did_you_mean(written, _WORDS) if isinstance(written, str) else None
            raise BadSchema(
                shown,
                path,
                question or f"The types are {', '.join(_WORDS)}. A list of values is a choice: `[pass, fail]`.",
            )


def _object(written: Schema, path: Path) -> Schema:
    properties: Schema = {}
    required: list[JsonValue] = []
    for key, value in written.items():
        name = key.removesuffix("?")
        if name in properties or not name:
            raise BadSchema(
                f"has the field `{name}` twice" if name else "has a field without a name", (*path, key)
            )
        properties[name] = _part(value, (*path, key))
        if name == key:
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(written: list[JsonValue], path: Path) -> Schema:
    if not written:
        raise BadSchema(
            "is an empty list", path, "Write `[string]` for a list of text, `[pass, fail]` for a choice."
        )
    if len(written) == 1:
        return {"type": "array", "items": _part(written[0], (*path, 0))}
    for i, value in enumerate(written):
        if isinstance(value, dict | list) or value in _WORDS:
            said = "a list or a mapping" if isinstance(value, dict | list) else f"the type `{value}`"
            raise BadSchema(
                f"has a list of several, which is a choice of values, and this has {said}",
                (*path, i),
                "Write one type for a list, `[string]`; or `{type: [string, number]}` for either.",
            )
    return {"enum": written}


def _refuse_two_readings(written: Schema, path: Path) -> None:
    """Refuse what is meant as the short form: a field is called as a keyword, and all values are types."""
    said = {key: value for key, value in written.items() if not key.startswith("$")}
    others = [value for key, value in said.items() if key not in {"type", "format", "description", "title"}]
    titles = [said[key] for key in ("title", "description", "format") if key in said]
    looks_short = [value for value in (*others, *titles) if isinstance(value, str) and value in _WORDS]
    if isinstance(said.get("items"), list) and "type" not in said:  # `items` of a JSON Schema is no list
        looks_short.append("array")
    if looks_short and len(looks_short) == len(others) + len(titles):
        key = next(key for key in said if key in _MARKS) if any(key in _MARKS for key in said) else ""
        if key:
            raise BadSchema(
                f"can be read in two ways: as fields, and as a JSON Schema, because of `{key}`",
                (*path, key),
                f"For a field `{key}` write `{{type: object, properties: {{{key}: {{type: string}}, …}}}}`.",
            )
