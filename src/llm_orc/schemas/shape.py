"""What a schema says of the fields of a value, before there is one: which there are, and of which types."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from llm_orc.schemas.walk import target_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

_MOST_CASES = 200
_DEEPEST = 40
Case = tuple["Schema", ...]
"""Schemas that all hold. Of several cases, one does."""


class NoSuchField(LookupError):
    """No value has it. `known` are the fields that there are; `said` is the beginning of what there is instead."""

    def __init__(self, step: str, known: Sequence[str], said: str) -> None:
        super().__init__(step)
        self.step, self.known, self.said = step, tuple(known), said


class Shape:
    """The value at a place: `cases` None means that nothing is known of it."""

    def __init__(self, root: Schema, cases: Sequence[Case] | None) -> None:
        self._root, self._cases = root, cases

    def at(self, path: Sequence[str]) -> Shape:
        """Return what is known of the field at `path`. Raises `NoSuchField`."""
        shape = self
        for step in path:
            shape = shape._field(step)
        return shape

    @property
    def types(self) -> frozenset[str]:
        """The JSON types that the value may have; empty: any."""
        found: set[str] = set()
        for case in self._cases or [()]:
            types = _types_of(case)
            if types is None:
                return frozenset()
            found |= types
        return frozenset(found)

    @property
    def values(self) -> tuple[JsonValue, ...]:
        """The only values that it may have; empty: any."""
        found: list[JsonValue] = []
        for case in self._cases or [()]:
            values = _values_of(case)
            if values is None:
                return ()
            found += (value for value in values if value not in found)
        return tuple(found)

    def _field(self, step: str) -> Shape:
        if self._cases is None:
            return self
        found: list[Case] = []
        is_open = False
        for case in self._cases:
            inner = _in_object(case, step) or _in_array(case, step)
            if inner is None:
                is_open = is_open or _may_have(case, step)
            elif False not in inner:
                found += _cases_of(self._root, [part for part in inner if isinstance(part, dict)])
                is_open = is_open or True in inner
        if is_open or len(found) > _MOST_CASES:
            return Shape(self._root, None)
        if not found:
            names = [*dict.fromkeys(name for case in self._cases for part in case for name in _properties(part))]
            raise NoSuchField(step, names, "its fields are " if names else self._words())
        return Shape(self._root, found)

    def _words(self) -> str:
        return f"it is of the type {' or '.join(f'`{one}`' for one in sorted(self.types))}" if self.types else ""


def shape_of(schema: Schema) -> Shape:
    """Return what is known of a value that satisfies the schema."""
    cases = _cases_of(schema, [schema])
    return Shape(schema, cases if 0 < len(cases) <= _MOST_CASES else None)


def field_names(schema: Schema | None) -> tuple[str, ...]:
    """Return the fields that a value by the schema may have, as far as they are named, in their order."""
    if schema is None:
        return ()
    return tuple(
        dict.fromkeys(name for case in _cases_of(schema, [schema]) for part in case for name in _properties(part))
    )


def _cases_of(root: Schema, schemas: Sequence[Schema], depth: int = 0) -> list[Case]:
    """Return the cases in which all of `schemas` hold; more than can be looked at mean that nothing is known."""
    parts: list[Schema] = []
    choices: list[list[Case]] = []
    waiting: list[JsonValue] = [*schemas]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        parts.append(part)
        if isinstance(reference := part.get("$ref"), str):
            waiting.append(target_of(root, reference))
        if isinstance(listed := part.get("allOf"), list):
            waiting += listed
        for key in ("anyOf", "oneOf"):
            branches = part.get(key)
            if isinstance(branches, list) and depth < _DEEPEST:
                of_branch = [_cases_of(root, [one], depth + 1) for one in branches if isinstance(one, dict)]
                choices.append([case for cases in of_branch for case in cases] + [()] * (True in branches))
        if len(parts) > _MOST_CASES:
            break
    cases: list[Case] = []
    for chosen in product(*choices):
        cases.append((*parts, *(part for case in chosen for part in case)))
        if len(cases) > _MOST_CASES:
            break
    return cases


def _properties(part: Schema) -> dict[str, JsonValue]:
    found = part.get("properties")
    return found if isinstance(found, dict) else {}


def _in_object(case: Case, step: str) -> list[JsonValue] | None:
    found = [properties[step] for part in case if step in (properties := _properties(part))]
    return found or None


def _in_array(case: Case, step: str) -> list[JsonValue] | None:
    if not step.isdecimal() or not _may_be(case, "array"):
        return None
    found: list[JsonValue] = []
    for part in case:
        first = part.get("prefixItems")
        listed = first if isinstance(first, list) else []
        if int(step) < len(listed):
            found.append(listed[int(step)])
        elif "items" in part:
            found.append(part["items"])
    return found or None


def _may_have(case: Case, step: str) -> bool:
    """Whether a value may have a field that no schema names. Where fields are named, others have to be allowed."""
    if step.isdecimal() and _may_be(case, "array"):
        return True
    if not _may_be(case, "object") or any(part.get("additionalProperties") is False for part in case):
        return False
    says_so = any("additionalProperties" in part or "patternProperties" in part for part in case)
    return says_so or not any(_properties(part) for part in case)


def _may_be(case: Case, kind: str) -> bool:
    types = _types_of(case)
    return types is None or kind in types


def _types_of(case: Case) -> set[str] | None:
    """Return the types that a case allows; None: any."""
    found: set[str] | None = None
    for part in case:
        written = part.get("type")
        types = {str(one) for one in written} if isinstance(written, list) else {written} if written else None
        if types is not None:
            types = {"number" if one == "integer" else str(one) for one in types}
            found = types if found is None else found & types
    values = _values_of(case)
    if values is not None:
        of_values = {json_type_of(value).replace("integer", "number") for value in values}
        return of_values if found is None else found & of_values
    return found


def _values_of(case: Case) -> list[JsonValue] | None:
    found: list[JsonValue] | None = None
    for part in case:
        values = [part["const"]] if "const" in part else part.get("enum")
        if isinstance(values, list):
            found = values if found is None else [one for one in found if one in values]
    return found


_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    str: "string",
    list: "array",
    dict: "object",
    int: "integer",
    float: "number",
}


def json_type_of(value: JsonValue) -> str:
    """Return the name that JSON Schema has for the type of a value; a whole number is an `integer`."""
    return _TYPES[type(value)]
