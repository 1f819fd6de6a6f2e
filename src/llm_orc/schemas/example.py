"""Make a small value that satisfies a schema, where a canned answer stands for one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llm_orc.schemas.walk import target_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

_DEEPEST = 24
_DEEPEST_UNASKED = 2  # of a field that need not be there
_MOST_STEPS = 20_000
_FORMATS: dict[str, str] = {
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "date": "2026-01-01",
    "duration": "P1D",
    "email": "nobody@example.com",
    "idn-email": "nobody@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "uri": "https://example.com",
    "uri-reference": "https://example.com",
    "iri": "https://example.com",
    "iri-reference": "https://example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": f"{0:08d}-0000-4000-8000-{0:012d}",
    "json-pointer": "",
    "regex": "a",
}


class NoExample(ValueError):
    """No value was found."""


def example_of(schema: JsonValue, text: str = "text") -> JsonValue:
    """Return a value for the schema; `text` stands where any text may. Raises `NoExample`.

    It may not satisfy what it doesn't look at, such as `pattern` and `not`: check it where that matters.
    """
    return _Maker(schema, text).value(schema, 0)


class _Maker:
    def __init__(self, root: JsonValue, text: str) -> None:
        self._root, self._text = root, text
        self._steps = 0

    def value(self, schema: JsonValue, depth: int) -> JsonValue:
        self._steps += 1
        if depth > _DEEPEST or schema is False or self._steps > _MOST_STEPS:
            raise NoExample
        if not isinstance(schema, dict):
            return self._text
        whole = self._whole(schema, depth)
        if "const" in whole:
            const: JsonValue = whole["const"]
            return const
        if choices := _listed(whole.get("enum")):
            return choices[0]
        return self._typed(whole, depth)

    def _whole(self, schema: Schema, depth: int) -> Schema:
        """Return the schema with what it is made of; of several that may hold, the first that can."""
        whole: Schema = {key: part for key, part in schema.items() if key not in {"allOf", "$ref"}}
        parts: list[JsonValue] = []
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(self._target(reference))
        parts += _listed(schema.get("allOf"))
        if False in parts or depth > _DEEPEST:
            raise NoExample
        for part in parts:
            whole = _joined(whole, self._whole(part, depth + 1) if isinstance(part, dict) else {})
        for key in ("anyOf", "oneOf"):
            if branches := _listed(whole.pop(key, None)):
                whole = self._first_of(whole, branches, depth)
        return whole

    def _first_of(self, whole: Schema, branches: list[JsonValue], depth: int) -> Schema:
        for branch in branches:
            if branch is False:
                continue
            try:
                joined = _joined(whole, self._whole(branch, depth + 1) if isinstance(branch, dict) else {})
                self.value(joined, depth + 1)
            except NoExample:
                continue
            return joined
        raise NoExample

    def _target(self, reference: str) -> JsonValue:
        try:
            return target_of(self._root, reference)
        except LookupError:
            raise NoExample from None

    def _typed(self, schema: Schema, depth: int) -> JsonValue:
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._string(schema)
        if kind in {"integer", "number"}:
            return _number(schema, is_whole=kind == "integer")
        return {"boolean": True, "null": None}.get(kind, self._text)

    def _object(self, schema: Schema, depth: int) -> JsonValue:
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        required = [name for name in _listed(schema.get("required")) if isinstance(name, str)]
        made: dict[str, JsonValue] = {}
        for name, part in known.items():
            if name not in required and depth > _DEEPEST_UNASKED:
                continue
            try:
                made[name] = self.value(part, depth + 1)
            except NoExample:
                if name in required:
                    raise
        other = schema.get("additionalProperties", True)
        for name in required:
            if name not in made:
                made[name] = self.value(other, depth + 1)
        least = schema.get("minProperties", 0)
        while isinstance(least, int) and len(made) < min(least, 100):
            made[f"key{len(made) + 1}"] = self.value(other, depth + 1)
        return made

    def _array(self, schema: Schema, depth: int) -> JsonValue:
        first = _listed(schema.get("prefixItems"))
        least, most = schema.get("minItems", 1), schema.get("maxItems", math.inf)
        count = min(least if isinstance(least, int) else 1, 100)
        if isinstance(most, int | float):
            count = int(min(max(count, len(first), 1), most))
        items = schema.get("items", True)
        made: list[JsonValue] = []
        for i in range(count):
            try:
                made.append(self.value(first[i] if i < len(first) else items, depth + 1))
            except NoExample:
                if isinstance(least, int) and i < least and "minItems" in schema:
                    raise
                break
        if schema.get("uniqueItems") is True:
            made = [_told_apart(one, i) for i, one in enumerate(made)]
        return made

    def _string(self, schema: Schema) -> JsonValue:
        if isinstance(kind := schema.get("format"), str) and kind in _FORMATS:
            return _FORMATS[kind]
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        made = self._text
        if isinstance(least, int) and len(made) < least <= 100_000:
            made += "." * (least - len(made))
        return made[: int(most)] if isinstance(most, int | float) and len(made) > most else made


def _type_of(schema: Schema) -> str:
    written = schema.get("type")
    for one in written if isinstance(written, list) else [written]:
        if isinstance(one, str):
            return one
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else ""


def _number(schema: Schema, *, is_whole: bool) -> JsonValue:
    bounds = {key: value for key in _BOUNDS if isinstance(value := schema.get(key), int | float)}
    low = max((value for key, value in bounds.items() if "inimum" in key), default=-math.inf)
    high = min((value for key, value in bounds.items() if "aximum" in key), default=math.inf)
    step = schema.get("multipleOf", 1 if is_whole else None)
    if isinstance(step, int | float) and step > 0:
        first = math.ceil(max(low, 0 if high >= 0 else high - 10 * step) / step)
        found = next((n * step for n in range(first, first + 3) if _fits(n * step, bounds)), None)
    elif math.isinf(low) and math.isinf(high):
        found = 0
    else:
        middle = low + 1 if math.isinf(high) else high - 1 if math.isinf(low) else (low + high) / 2
        found = next((one for one in (0, low, high, middle) if math.isfinite(one) and _fits(one, bounds)), None)
    if found is None:
        raise NoExample
    return int(found) if is_whole else found


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _fits(value: float, bounds: dict[str, int | float]) -> bool:
    return (
        value >= bounds.get("minimum", -math.inf)
        and value <= bounds.get("maximum", math.inf)
        and value > bounds.get("exclusiveMinimum", -math.inf)
        and value < bounds.get("exclusiveMaximum", math.inf)
    )


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _joined(one: Schema, other: Schema) -> Schema:
    """Return a schema of both: the properties of each, what either requires, and else what the first says."""
    joined = {**other, **one}
    for key in ("properties",):
        first, second = one.get(key), other.get(key)
        if isinstance(first, dict) and isinstance(second, dict):
            joined[key] = {**second, **first}
    required = [*_listed(one.get("required")), *_listed(other.get("required"))]
    return {**joined, "required": required} if required else joined


def _told_apart(value: JsonValue, number: int) -> JsonValue:
    if isinstance(value, str):
        return f"{value} {number + 1}" if number else value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value + number if is_number and isinstance(value, int | float) else value
