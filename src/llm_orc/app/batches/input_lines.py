"""Inputs of one line each: decode a file, split it into lines, and read each line as JSON or as text."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_FILE = 512 * 2**20  # bytes; it is read as a whole
_DEEPEST = 100  # levels of a JSON value
_LARGEST_INTEGER = 2**64  # programs that read the results would round larger ones
_OTHER_ENCODINGS = (  # by byte order mark; longer marks first, since they start with the shorter ones
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Input:
    """One input as it was read. `error` says why it can't be used. `line` counts from 1; 0: a whole file."""

    line: int
    fields: dict[str, JsonValue] = field(default_factory=dict)
    error: str | None = None


def text_of(data: bytes, source: str) -> str:
    """Decode a file: UTF-8, or the encoding of its byte order mark, as of spreadsheets. Raises `InputError`."""
    if len(data) > LARGEST_FILE:
        raise InputError(
            f"`{source}` has more than {LARGEST_FILE // 2**20} MB",
            hint="Nothing was sent. Split it, and run a batch for each part.",
        )
    encoding = next((name for mark, name in _OTHER_ENCODINGS if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise InputError(
            f"`{source}` is not UTF-8 text: line {line} can't be read", hint="Save it as UTF-8; nothing was sent."
        ) from e
    if text.count("\0") > len(text) // 4:
        raise InputError(
            f"`{source}` is not UTF-8 text: it looks like UTF-16 without a byte order mark",
            hint="Save it as UTF-8; nothing was sent.",
        )
    return text


def split_lines(text: str) -> list[str]:
    r"""Return the lines with their ends: `\n` or `\r\n`; `\r` alone if the text has no `\n`.

    Unlike `str.splitlines`, nothing else ends a line: a form feed or U+2028 is part of the text.
    """
    end = "\n" if "\n" in text else "\r"
    lines = [line + end for line in text.split(end)]
    lines[-1] = lines[-1][: -len(end)]
    return lines if lines[-1] else lines[:-1]


def plain_lines(text: str) -> Iterator[Input]:
    for line, words in enumerate(split_lines(text), 1):
        if words.strip():
            yield Input(line, {"input": words.rstrip("\r\n")})


def json_lines(text: str) -> Iterator[Input]:
    for line, words in enumerate(split_lines(text), 1):
        if words.strip():
            yield _json_line(line, words.rstrip("\r\n"))


def _json_line(line: int, words: str) -> Input:
    try:
        value: JsonValue = json.loads(
            words,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
            object_pairs_hook=_object,
        )
        _check_depth(value)
    except json.JSONDecodeError as e:
        return Input(line, error=f"line {line} is not JSON: {e.msg}, at character {e.colno}")
    except (ValueError, RecursionError) as e:
        return Input(line, error=f"line {line} is not JSON: {e}")
    if isinstance(value, str):
        return Input(line, {"input": value})
    if isinstance(value, dict):
        return Input(line, value)
    return Input(line, error=f"line {line} is neither a JSON object nor a string")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) < 25 else _LARGEST_INTEGER
    if abs(value) >= _LARGEST_INTEGER:
        raise ValueError(f"the number {digits[:25]} is too large; write it as a string")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {digits[:25]} is too large; write it as a string")
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key `{twice[:80]}` occurs twice in it")
    return found


def _check_depth(value: JsonValue) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inner(one)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def _inner(value: dict[str, JsonValue] | list[JsonValue]) -> list[JsonValue]:
    return list(value.values()) if isinstance(value, dict) else value


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_integer, parse_float=_float, object_pairs_hook=_object
)
