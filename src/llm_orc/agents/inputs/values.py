"""Values of an ensemble's inputs: from text or JSON, checked against what the ensemble declares."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from llm_orc.agents.files.ref import as_json, as_names, file_of, files_of
from llm_orc.errors import InputError
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.agents.inputs.spec import InputSpec, InputType
    from llm_orc.jsontypes import JsonValue

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST_SHOWN = 60  # characters
WORDS: Mapping[InputType, str] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a JSON array",
    "object": "a JSON object",
    "file": "a file",
    "files": "a list of files",
}


_EXAMPLES: Mapping[InputType, str] = {
    "string": "TEXT",
    "boolean": "true|false",
    "array": "JSON",
    "object": "JSON",
    "file": "FILE",
    "files": "FOLDER",
}


class WrongInput(ValueError):
    """States what an input needs, as the end of the sentence "input `x` must be …"."""


def complete_inputs(
    ensemble: str, specs: Sequence[InputSpec], given: Mapping[str, JsonValue], *, texts: bool = False
) -> dict[str, JsonValue]:
    """Return a value for every input: the one given, else the default.

    `texts`: text is read as what the input's type says. Raises `InputError` with everything that is wrong: unknown
    names, wrong values, missing ones.
    """
    values: dict[str, JsonValue] = {}
    problems: list[tuple[str, str | None]] = [*_unknown(ensemble, specs, given)]
    missing: list[InputSpec] = []
    for spec in specs:
        if spec.name not in given:
            values[spec.name] = spec.default
            if spec.is_required:
                missing.append(spec)
            continue
        try:
            values[spec.name] = value_of(spec, given[spec.name], from_text=texts)
        except WrongInput as e:
            problems.append((f"input `{spec.name}` must be {e}", None))
    if missing:
        names = " and ".join(f"`{spec.name}`" for spec in missing)
        options = " ".join(f"--set {spec.name}={example_of(spec)}" for spec in missing)
        problems.append((f"ensemble `{ensemble}` needs the input{'s'[: len(missing) - 1]} {names}", options))
    if problems:
        hints = [hint for _, hint in problems if hint is not None]
        raise InputError("; ".join(message for message, _ in problems), hint=_hint(hints, missing))
    return values


def _unknown(
    ensemble: str, specs: Sequence[InputSpec], given: Mapping[str, JsonValue]
) -> Iterator[tuple[str, str | None]]:
    known = [spec.name for spec in specs]
    for name in given:
        if name not in known:
            listed = f"It has: {', '.join(f'`{one}`' for one in known)}." if known else None
            hint = did_you_mean(name, known) or listed or "It declares no `inputs`; the task is `--input TEXT`."
            yield f"ensemble `{ensemble}` has no input `{name[:_LONGEST_SHOWN]}`", hint


def _hint(hints: Sequence[str], missing: Sequence[InputSpec]) -> str | None:
    """The first hint; the options that are missing come in words, as they are a part of a command."""
    if not hints:
        return None
    first = hints[0]
    if missing and first is hints[-1]:
        return f"Give {'it' if len(missing) == 1 else 'them'} with `{first}`."
    return first


def example_of(spec: InputSpec) -> str:
    """Return what stands for a value in a command line, such as `NUMBER`."""
    if spec.enum:
        return "|".join(as_text(value) for value in spec.enum[:4])
    return _EXAMPLES.get(spec.type, "NUMBER")


def value_of(spec: InputSpec, value: JsonValue, *, from_text: bool = False) -> JsonValue:
    """Return the value as the input's type has it. Raises `WrongInput`."""
    if value is None and spec.type == "file" and not spec.is_required:
        return None
    if from_text and isinstance(value, str) and spec.type not in {"string", "file", "files"}:
        value = _read(spec.type, value)
    value = _of_type(spec.type, value)
    if spec.enum and not any(_is_same(value, allowed) for allowed in spec.enum):
        listed = ", ".join(f"`{as_text(allowed)}`" for allowed in spec.enum)
        question = did_you_mean(as_text(value), [as_text(allowed) for allowed in spec.enum])
        raise WrongInput(f"one of {listed}, not `{_shown(value)}`{f' ({question})' if question else ''}")
    return value


def _is_same(one: JsonValue, other: JsonValue) -> bool:
    return type(one) is type(other) and one == other


def _read(kind: InputType, text: str) -> JsonValue:
    """Read text, as from a command line or a table, as a value of this type."""
    plain = text.strip()
    if kind == "integer" and _INTEGER.fullmatch(plain):
        return int(plain)
    if kind == "number" and _NUMBER.fullmatch(plain):
        return float(plain) if not _INTEGER.fullmatch(plain) else int(plain)
    if kind == "boolean" and plain.casefold() in {"true", "false"}:
        return plain.casefold() == "true"
    if kind in {"array", "object"}:
        try:
            value: JsonValue = json.loads(plain, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise WrongInput(f"{WORDS[kind]}, not `{_shown(text)}`") from None
        return value
    raise WrongInput(f"{WORDS[kind]}, not `{_shown(text)}`")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_PYTHON: Mapping[InputType, type] = {"string": str, "boolean": bool, "array": list, "object": dict}


def _of_type(kind: InputType, value: JsonValue) -> JsonValue:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    match kind:
        case "integer" if number is not None and math.isfinite(number) and number == int(number):
            return int(number)
        case "number" if number is not None and math.isfinite(number):
            return number
        case "string" | "boolean" | "array" | "object" if isinstance(value, _PYTHON[kind]):
            return value
        case "file" if file_of(value) is not None:
            return value
        case "files" if (found := files_of(value)) is not None:
            return [as_json(one) for one in found]
    raise WrongInput(f"{WORDS[kind]}, not `{_shown(value)}`")


def _shown(value: JsonValue) -> str:
    text = " ".join(as_text(value).split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def as_text(value: JsonValue) -> str:
    """Return the text that a value becomes in a prompt: a string as it is, everything else as JSON.

    A file is its name.
    """
    if isinstance(value, dict | list):
        value = as_names(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
