"""Translate a schema to the subset that a protocol takes. What can't be sent is said in descriptions.

What is sent is never more than its author asks for, except that properties nobody has named are closed where a
protocol wants that. Whatever comes back is checked by the schema itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.schemas.shape import json_type_of
from llm_orc.schemas.walk import Schema, target_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.structured.subset import Subset

WRAPPED = "value"
"""The one property of the object that stands for a value where only an object is taken."""
_LONGEST_NOTE = 600  # characters
_DEEPEST = 60
_MOST_PARTS = 20_000
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"})
_SILENT = frozenset({"$schema", "$id", "$comment", "$defs", "definitions", *_ANNOTATIONS})
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


class CantSend(ValueError):
    """The protocol has no way to ask for this."""


@dataclass(frozen=True, slots=True)
class SentSchema:
    """What is sent. `is_wrapped`: the value is the property `value` of an object."""

    schema: Schema
    is_wrapped: bool = False


def translated(schema: Schema, subset: Subset) -> SentSchema | None:
    """Return what to send; None: the schema has to be said in words."""
    translator = _Translator(schema, subset)
    try:
        sent = translator.part(schema, 0)
        is_wrapped = subset.needs_object and (sent.get("type") != "object" or "anyOf" in sent)
        if is_wrapped:
            sent = {
                "type": "object",
                "properties": {WRAPPED: sent},
                "required": [WRAPPED],
                "additionalProperties": False,
            }
        if translator.definitions:
            sent["$defs"] = translator.definitions
        translator.refuse_excess(levels=translator.levels + is_wrapped)
    except CantSend:
        return None
    return SentSchema(sent, is_wrapped)


class _Translator:
    def __init__(self, root: Schema, subset: Subset) -> None:
        self._root, self._subset = root, subset
        self.definitions: dict[str, JsonValue] = {}
        self._names: dict[str, str] = {}  # by reference
        self._open: list[str] = []  # references that are being translated
        self.levels = self._parts = 0
        self._properties = self._optional = self._choices = self._unions = 0

    def part(self, schema: JsonValue, depth: int) -> Schema:
        """Return the schema in the subset. Raises `CantSend`."""
        self._parts += 1
        if depth > _DEEPEST or self._parts > _MOST_PARTS or not isinstance(schema, dict):
            raise CantSend
        self.levels = max(self.levels, depth)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if _SILENT.issuperset(key for key in schema if key != "$ref"):
                return self._reference(reference, depth)
            if reference in self._open:
                raise CantSend
            schema = self._merged(schema)
        if "allOf" in schema:
            schema = self._merged(schema)
        return self._plain(schema, depth)

    def _merged(self, schema: Schema, depth: int = 0) -> Schema:
        """Return the schema with what it refers to, and all that has to hold, in one."""
        if depth > _DEEPEST:
            raise CantSend
        merged: Schema = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        parts: list[JsonValue] = []
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(target_of(self._root, reference))
        if isinstance(listed := schema.get("allOf"), list):
            parts += listed
        for part in parts:
            if not isinstance(part, dict):
                raise CantSend
            merged = _both(merged, self._merged(part, depth + 1) if "$ref" in part or "allOf" in part else part)
        return merged

    def _reference(self, reference: str, depth: int) -> Schema:
        """Refer to a definition of what is sent, which is translated once."""
        if reference in self._open:
            if self._subset.recursive == "no":
                raise CantSend
            return {"$ref": f"#/$defs/{self._names[reference]}"}
        if reference not in self._names:
            target = target_of(self._root, reference)
            name = _name(reference, set(self._names.values()))
            self._names[reference] = name
            self._open.append(reference)
            self.definitions[name] = {}
            self.definitions[name] = self.part(target, depth)
            self._open.pop()
        return {"$ref": f"#/$defs/{self._names[reference]}"}

    def _plain(self, schema: Schema, depth: int) -> Schema:
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                return self._union(schema, key, depth)
        if "const" in schema or "enum" in schema:
            return self._literals(schema)
        types = _types_of(schema)
        if len(types) > 1:
            self._unions += 1
            return self._several(schema, types, depth)
        return self._of_type(schema, types[0], depth)

    def _union(self, schema: Schema, key: str, depth: int) -> Schema:
        """Each branch is what holds beside it, and itself."""
        branches = schema[key]
        assert isinstance(branches, list)
        beside = {name: value for name, value in schema.items() if name != key and name not in _SILENT}
        if beside.keys() - {"type"} and any(name in beside for name in ("anyOf", "oneOf", "enum", "const")):
            raise CantSend
        sent: Schema = {}
        self._unions += 1
        listed: list[JsonValue] = []
        for branch in branches:
            if not isinstance(branch, dict):
                raise CantSend
            whole = _both(beside, branch) if beside else branch
            listed.append(self.part(whole, depth))
        if not listed:
            raise CantSend
        sent["anyOf"] = listed
        return _described(sent, schema, [])

    def _literals(self, schema: Schema) -> Schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if not isinstance(values, list) or not values or any(isinstance(one, dict | list) for one in values):
            raise CantSend
        if "const" in schema and isinstance(schema.get("enum"), list):
            raise CantSend
        self._choices += len(values)
        kinds = [*dict.fromkeys(json_type_of(one) for one in values)]
        sent: Schema = {}
        if self._subset.literals_have_types:
            sent["type"] = kinds[0] if len(kinds) == 1 else [*kinds]
        sent["enum"] = values
        handled = {"type", "enum", "const"}
        return _described(sent, schema, [key for key in schema if key not in handled | _SILENT])

    def _several(self, schema: Schema, types: list[str], depth: int) -> Schema:
        """Return one branch for each type, with the keywords that are about it."""
        general = {key: value for key, value in schema.items() if key not in _SILENT}
        branches: list[JsonValue] = []
        for kind in types:
            of_kind = {key: value for key, value in general.items() if _is_about(key, kind)}
            branches.append(self._of_type({**of_kind, "type": kind}, kind, depth))
        return _described({"anyOf": branches}, schema, [])

    def _of_type(self, schema: Schema, kind: str, depth: int) -> Schema:
        sent: Schema = {"type": kind}
        handled = {"type"}
        kept = self._subset.keywords.get(kind, frozenset())
        for key in kept:
            if key in schema and self._takes(key, schema[key]):
                sent[key] = schema[key]
                handled.add(key)
        if kind == "string" and schema.get("format") in self._subset.formats:
            sent["format"] = schema["format"]
            handled.add("format")
        if kind == "object":
            handled |= self._object(schema, sent, depth)
        elif kind == "array":
            handled |= self._array(schema, sent, depth)
        about = [key for key in schema if key not in handled | _SILENT and _is_about(key, kind)]
        return _described(sent, schema, about)

    def _takes(self, key: str, value: JsonValue) -> bool:
        if key == "minItems" and self._subset.least_items is not None:
            return value in self._subset.least_items
        if key == "pattern":
            return (
                isinstance(value, str) and "(?" not in value and not any(f"\\{n}" in value for n in range(1, 10))
            )
        return True

    def _object(self, schema: Schema, sent: Schema, depth: int) -> set[str]:
        properties = schema.get("properties", {})
        other = schema.get("additionalProperties", True)
        if not isinstance(properties, dict) or "patternProperties" in schema or isinstance(other, dict):
            raise CantSend
        required = schema.get("required", [])
        asked = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set[str]()
        if not asked <= properties.keys() or (self._subset.is_closed and not properties and other is not False):
            raise CantSend  # an open mapping can't be asked for
        self._properties += len(properties)
        self._optional += len(properties.keys() - asked)
        made: dict[str, JsonValue] = {}
        for name, part in properties.items():
            inner = self.part(part, depth + 1)
            if self._subset.all_required and name not in asked:
                inner = _or_null(inner)
            made[name] = inner
        sent["properties"] = made
        sent["required"] = [name for name in made if self._subset.all_required or name in asked]
        if self._subset.is_closed or other is False:
            sent["additionalProperties"] = False
        if not sent["required"] and not self._subset.all_required:
            del sent["required"]
        return {"properties", "required", "additionalProperties"}

    def _array(self, schema: Schema, sent: Schema, depth: int) -> set[str]:
        first = schema.get("prefixItems")
        if isinstance(first, list):
            if not self._subset.takes_tuples:
                raise CantSend
            sent["prefixItems"] = [self.part(part, depth + 1) for part in first]
            if schema.get("items") is False:
                sent["maxItems"] = len(first)
                return {"prefixItems", "items"}
        if "items" not in schema:
            if not isinstance(first, list):
                raise CantSend  # a list of anything
            return {"prefixItems"}
        sent["items"] = self.part(schema["items"], depth + 1)
        return {"prefixItems", "items"}

    def refuse_excess(self, levels: int) -> None:
        subset = self._subset
        if (
            self._properties > subset.most_properties
            or levels > subset.most_levels
            or self._optional > subset.most_optional
            or self._choices > subset.most_choices
            or self._unions > subset.most_unions
        ):
            raise CantSend


def _types_of(schema: Schema) -> list[str]:
    written = schema.get("type")
    if isinstance(written, list):
        types = [one for one in written if isinstance(one, str)]
    elif isinstance(written, str):
        types = [written]
    elif "properties" in schema:
        types = ["object"]
    elif "items" in schema or "prefixItems" in schema:
        types = ["array"]
    else:
        types = []
    if not types or any(one not in _TYPES for one in types):
        raise CantSend  # anything may come
    return ["number" if one == "integer" and "number" in types else one for one in dict.fromkeys(types)]


_ABOUT = {
    "object": ("properties", "required", "additionalProperties", "Properties", "propertyNames", "dependent"),
    "array": ("items", "Items", "contains", "Contains"),
    "string": ("Length", "pattern", "format", "content"),
    "number": ("inimum", "aximum", "multipleOf"),
}


def _is_about(key: str, kind: str) -> bool:
    """Return whether a keyword says something of values of this type."""
    if key == "patternProperties":
        return kind == "object"
    own = next((one for one, words in _ABOUT.items() if any(word in key for word in words)), "")
    return not own or own == ("number" if kind == "integer" else kind)


def _described(sent: Schema, schema: Schema, left_out: list[str]) -> Schema:
    """Add the title, and a description with what is not sent."""
    title, written = schema.get("title"), schema.get("description")
    words = [written] if isinstance(written, str) and written else []
    if left_out:
        rest = json.dumps({key: schema[key] for key in left_out}, ensure_ascii=False)
        words.append(rest if len(rest) <= _LONGEST_NOTE else f"{rest[:_LONGEST_NOTE]}…")
    if words:
        sent["description"] = "\n\n".join(words)
    if isinstance(title, str) and title:
        sent["title"] = title
    return sent


def _or_null(schema: Schema) -> Schema:
    kinds = schema.get("type")
    if isinstance(kinds, str) and kinds != "null" and "enum" not in schema:
        return {**schema, "type": [kinds, "null"]}
    if isinstance(branches := schema.get("anyOf"), list):
        return schema if {"type": "null"} in branches else {**schema, "anyOf": [*branches, {"type": "null"}]}
    return schema if kinds == "null" else {"anyOf": [schema, {"type": "null"}]}


def _both(one: Schema, other: Schema) -> Schema:
    """Return a schema by which both hold. Raises `CantSend` where that can't be said in one."""
    merged = {**other, **one}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if first == second or key in _ANNOTATIONS:
            continue
        if key == "properties" and isinstance(first, dict) and isinstance(second, dict):
            if any(first[name] != second[name] for name in first.keys() & second.keys()):
                raise CantSend
            merged[key] = {**second, **first}
        elif key == "required" and isinstance(first, list) and isinstance(second, list):
            merged[key] = [*first, *(name for name in second if name not in first)]
        else:
            raise CantSend
    closed = [part for part in (one, other) if part.get("additionalProperties") is False]
    for part in closed:  # it would allow none of the other's
        names, own = merged.get("properties", {}), part.get("properties", {})
        if isinstance(names, dict) and isinstance(own, dict) and names.keys() != own.keys():
            raise CantSend
    return merged


def _name(reference: str, taken: set[str]) -> str:
    last = reference.rpartition("/")[2]
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in last)[:40] or "root"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    return name
