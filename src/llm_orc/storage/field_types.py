"""The types of value that a key of a YAML file can have: how each is read, and how a JSON Schema describes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, Literal, TypeVar

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.storage.suggest import did_you_mean

JsonSchema = dict[str, JsonValue]
Holds = Literal["value", "path", "mapping", "agents"]
"""`path`: the path of a file, relative to the file that names it. `mapping`: its keys are merged one by one.
`agents`: a list of agents."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class WrongValue(ValueError):
    """States what a key needs, as the end of the sentence "`key` must be …".

    `within` is the key in the value that is wrong: its value, or, with `at_key`, the key itself.
    """

    def __init__(self, needs: str, hint: str | None = None, *, within: str = "", at_key: bool = False) -> None:
        super().__init__(needs)
        self.needs = needs
        self.hint = hint
        self.within, self.at_key = within, at_key


@dataclass(frozen=True, slots=True)
class FieldType(Generic[T_co]):
    """One type of value.

    `read` returns the value as the program uses it, or raises `WrongValue`. `schema` is what a JSON Schema can say
    of such values; `read` alone knows the rest. `description` says it in words: "a whole number, at least 1".
    """

    read: Callable[[JsonValue], T_co]
    schema: JsonSchema
    description: str
    holds: Holds = "value"

    def __call__(self, value: JsonValue) -> T_co:
        return self.read(value)


def field_type(
    schema: JsonSchema, description: str, holds: Holds = "value"
) -> Callable[[Callable[[JsonValue], T]], FieldType[T]]:
    """Decorate the function that reads a type."""
    return lambda read: FieldType(read, schema, description, holds)


def optional(of: FieldType[T]) -> FieldType[T | None]:
    """Return the type that also accepts an empty value, and reads it as None."""

    def read(value: JsonValue) -> T | None:
        return None if value is None else of(value)

    return FieldType(read, _or_null(of.schema), of.description, of.holds)


def _or_null(schema: JsonSchema) -> JsonSchema:
    if not schema:
        return {}
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def described(of: FieldType[T], description: str) -> FieldType[T]:
    """Return the type with another description."""
    return replace(of, description=description)


@field_type({}, "anything")
def anything(value: JsonValue) -> JsonValue:
    return value


@field_type({"type": "string"}, "text")
def text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    hint = "Put it in quotes." if isinstance(value, int | float) else None
    raise WrongValue(f"text, not {type_of(value)}", hint)


@field_type({"type": "string", "pattern": r"\S"}, "text")
def non_empty_text(value: JsonValue) -> str:
    if isinstance(value, str) and not value.strip():
        raise WrongValue("text that is not empty")
    return text(value)


@field_type({"type": "boolean"}, "`true` or `false`")
def boolean(value: JsonValue) -> bool:
    if isinstance(value, bool):
        return value
    hint = "YAML has only `true` and `false`.." if isinstance(value, str) else None
    raise WrongValue(f"`true` or `false`, not {type_of(value)}", hint)


def whole_number(at_least: int) -> FieldType[int]:
    def read(value: JsonValue) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongValue(f"a whole number, not {value if isinstance(value, float) else type_of(value)}")
        if value < at_least:
            raise WrongValue(f"at least {at_least}")
        return value

    return FieldType(read, {"type": "integer", "minimum": at_least}, f"a whole number, at least {at_least}")


def number(at_least: float, at_most: float = math.inf, *, above: bool = False) -> FieldType[float]:
    """Return the type of finite numbers from `at_least` to `at_most`; `above` leaves `at_least` itself out."""

    def read(value: JsonValue) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise WrongValue(f"a number, not {type_of(value)}")
        if not math.isfinite(value):
            raise WrongValue("a finite number")
        if value < at_least or (above and value == at_least):
            raise WrongValue(f"more than {at_least:g}" if above else f"at least {at_least:g}")
        if value > at_most:
            raise WrongValue(f"at most {at_most:g}")
        return float(value)

    schema: JsonSchema = {"type": "number", "exclusiveMinimum" if above else "minimum": at_least}
    description = f"a number above {at_least:g}" if above else f"a number, at least {at_least:g}"
    if at_most == math.inf:
        return FieldType(read, schema, description)
    return FieldType(read, {**schema, "maximum": at_most}, f"{description} and at most {at_most:g}")


def choice(*names: str) -> FieldType[str]:
    return choice_of(lambda: names)


def choice_of(names: Callable[[], Sequence[str]]) -> FieldType[str]:
    """Return the type of one of the names that there are when a value is read."""

    def read(value: JsonValue) -> str:
        known = names()
        if isinstance(value, str) and value in known:
            return value
        raise WrongValue(_listed(known), did_you_mean(value, known) if isinstance(value, str) else None)

    return FieldType(read, {"enum": [*names()]}, _listed(names()))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{n}`" for n in names[:-1]) + f" or `{names[-1]}`"


def one_or_more_of(names: Callable[[], Sequence[str]]) -> FieldType[tuple[str, ...]]:
    """Return the type of one of the names that there are, or of a list of them in order, none twice."""
    one = choice_of(names)

    def read(value: JsonValue) -> tuple[str, ...]:
        if not isinstance(value, list):
            return (one(value),)
        if not value or len({str(item) for item in value}) < len(value):
            raise WrongValue("one name, or a list of different ones")
        return tuple(one(item) for item in value)

    listed: JsonSchema = {"type": "array", "items": one.schema, "minItems": 1, "uniqueItems": True}
    return FieldType(read, {"anyOf": [one.schema, listed]}, f"{one.description}, or a list of them")


@field_type({"type": ["object", "null"]}, "a mapping", "mapping")
def json_mapping(value: JsonValue) -> dict[str, JsonValue]:
    """A mapping that JSON can carry: no infinite number anywhere in it."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping, not {type_of(value)}")
    if not _is_finite(value):
        raise WrongValue("free of `.inf` and `.nan`, which JSON can't carry")
    return value


def _is_finite(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def type_of(value: JsonValue) -> str:
    """Name the type as a person who writes YAML would."""
    names = {bool: "true or false", str: "text", dict: "a mapping", list: "a list"}
    if value is None:
        return "nothing"
    return names.get(type(value), "a number")
