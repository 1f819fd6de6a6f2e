"""Take typed values out of a located mapping: every wrong or unknown key becomes a problem at its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llm_orc.jsontypes import JsonValue
from llm_orc.storage.nearest import did_you_mean, slip_of
from llm_orc.storage.placeholders import placeholder_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from llm_orc.errors import Problem
    from llm_orc.storage.yaml_source import KeyPath, Located

Kind = Callable[[JsonValue], Any]  # returns the value as its reader wants it, or raises WrongValue
JsonSchema = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Described:
    """A kind that also says, as a JSON Schema, what it takes; what no schema can say, `read` alone knows."""

    read: Kind
    fits: JsonSchema

    def __call__(self, value: JsonValue) -> Any:
        return self.read(value)


def fits(schema: JsonSchema) -> Callable[[Kind], Described]:
    """Decorate a kind with what it takes."""
    return lambda read: Described(read, schema)


def schema_of(kind: Kind) -> JsonSchema:
    """Return what the kind takes; anything, where it does not say."""
    return dict(kind.fits) if isinstance(kind, Described) else {}


def or_nothing(kind: Kind) -> JsonSchema:
    """Return the schema of a value that may also be empty."""
    schema = schema_of(kind)
    if not schema:
        return {}
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


_WRITE_ITSELF = (
    "write the value itself (a path may begin with `~`); a key's variable is named by `api_key_env: NAME`"
)
_LONGEST_KEY = 80  # characters of an unknown key that are compared
_MOST_QUESTIONS = 20  # looking for the nearest name is slow, and nobody reads more of them


class WrongValue(ValueError):
    """Says what a key needs, as the end of the sentence "`key` must be …"."""

    def __init__(self, needs: str, hint: str | None = None) -> None:
        super().__init__(needs)
        self.needs = needs
        self.hint = hint


@fits({"type": "string"})
def text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    hint = "put it in quotes" if isinstance(value, int | float) else None
    raise WrongValue(f"text, not {type_of(value)}", hint)


@fits({"type": "string", "pattern": r"\S"})
def non_empty_text(value: JsonValue) -> str:
    if isinstance(value, str) and not value.strip():
        raise WrongValue("text that is not empty")
    found: str = text(value)
    return found


@fits({"type": "boolean"})
def boolean(value: JsonValue) -> bool:
    if isinstance(value, bool):
        return value
    hint = "YAML has only `true` and `false`" if isinstance(value, str) else None
    raise WrongValue(f"`true` or `false`, not {type_of(value)}", hint)


def whole_number(at_least: int) -> Described:
    def read(value: JsonValue) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongValue(f"a whole number, not {value if isinstance(value, float) else type_of(value)}")
        if value < at_least:
            raise WrongValue(f"at least {at_least}")
        return value

    return Described(read, {"type": "integer", "minimum": at_least})


def number(at_least: float, at_most: float = math.inf, *, above: bool = False) -> Described:
    """`above` leaves the lower limit itself out."""

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
    return Described(read, schema if at_most == math.inf else {**schema, "maximum": at_most})


def choice(*names: str) -> Described:
    shown = ", ".join(f"`{n}`" for n in names[:-1]) + f" or `{names[-1]}`"

    def read(value: JsonValue) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise WrongValue(shown, did_you_mean(value, names) if isinstance(value, str) else None)

    return Described(read, {"enum": [*names]})


def one_or_more(*names: str) -> Described:
    """One of `names`, or a list of them in order, none twice."""
    one = choice(*names)

    def read(value: JsonValue) -> tuple[str, ...]:
        if not isinstance(value, list):
            return (one(value),)
        if not value or len({str(item) for item in value}) < len(value):
            raise WrongValue("one name, or a list of different ones")
        return tuple(one(item) for item in value)

    listed: JsonSchema = {"type": "array", "items": one.fits, "minItems": 1, "uniqueItems": True}
    return Described(read, {"anyOf": [one.fits, listed]})


@fits({"type": ["object", "null"]})
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


class Fields:
    """Reads mappings of one document and gathers what is wrong with them in `problems`."""

    def __init__(self, document: Located) -> None:
        self.document = document
        self.problems: list[Problem] = list(document.problems)
        self.ignored: list[Problem] = []  # keys that nobody here knows: said, and no reason to refuse the file

    def problem(self, message: str, path: KeyPath, *, at_key: bool = False, hint: str | None = None) -> None:
        self.problems.append(self.document.problem(message, path, at_key=at_key, hint=hint))

    def question(self, name: str, known: Collection[str]) -> str | None:
        """Return "did you mean …?" for the first problems of the document, None for the rest."""
        return did_you_mean(name, known) if len(self.problems) < _MOST_QUESTIONS else None

    def unknown_key(self, path: KeyPath, known: Collection[str], what: str) -> None:
        key = str(path[-1])
        hint = self.question(key, known) or f"known keys: {', '.join(known)}"
        self.problem(f"{what} has no key `{key[:80]}`", path, at_key=True, hint=hint)

    def foreign_key(self, path: KeyPath, known: Collection[str], what: str) -> None:
        """Ignore a key of another release or program, and say so; a slip of a known one is a problem."""
        key = str(path[-1])
        if len(key) > _LONGEST_KEY or slip_of(key, known) is None:
            message = f"{what} has the key `{key[:80]}`, which this release does not know and ignores"
            self.ignored.append(self.document.problem(message, path, at_key=True))
        else:
            self.unknown_key(path, known, what)

    def read(
        self,
        path: KeyPath,
        mapping: Mapping[str, JsonValue],
        kinds: Mapping[str, Kind],
        what: str,
        *,
        ignores_foreign: bool = False,
        prose: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the keys of `mapping` that are right, read as `kinds` says; the others become problems.

        A placeholder such as `${NAME}` is a problem, since nothing here fills it in, but in the keys of `prose`.
        `ignores_foreign`: an unknown key that is no slip of a known one is put into `ignored` instead.
        """
        values: dict[str, Any] = {}
        refuse = self.foreign_key if ignores_foreign else self.unknown_key
        for key, value in mapping.items():
            kind = kinds.get(key)
            if kind is None:
                refuse((*path, key), tuple(kinds), what)
                continue
            if key not in prose and (placeholder := placeholder_in(value)) is not None:
                self.problem(
                    f"`{key}` has `{placeholder}`, and nothing is filled in here", (*path, key), hint=_WRITE_ITSELF
                )
                continue
            try:
                values[key] = kind(value)
            except WrongValue as e:
                self.problem(f"`{key}` must be {e.needs}", (*path, key), hint=e.hint)
        return values

    def in_order(self) -> list[Problem]:
        return sorted(self.problems, key=lambda p: (p.line, p.column))


def problem_lines(problems: Sequence[Problem], most: int = 50) -> str:
    """Return one line for each problem, with its place and its hint in brackets."""
    lines = [_line(p) for p in problems[:most]]
    if len(problems) > most:
        lines.append(f"… and {len(problems) - most} more")
    return "\n".join(lines)


def _line(problem: Problem) -> str:
    place = f"line {problem.line}, column {problem.column}: " if problem.file is None and problem.line else ""
    return f"{place}{problem} ({problem.hint})" if problem.hint else f"{place}{problem}"
