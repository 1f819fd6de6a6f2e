"""Build plain data and positions from the events of a YAML parser, without recursion and executing no tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from llm_orc.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

MAX_DEPTH = 64
MAX_ALIASED_VALUES = 100_000

# Line and column of the key, line and column of the value (from 1), and the positions of what is inside the value.
Mark = tuple[int, int, int, int, dict["str | int", "Mark"] | None]
Marks = dict[str | int, Mark]

_TAG = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_MAYBE_NUMBER = frozenset("0123456789+-.")
_LONGEST_NUMBER = 400  # characters


class Unreadable(Exception):
    """Reading can't continue; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class NotAScalar(ValueError):
    """The text looks like a number or a word of YAML but can't be one."""


def plain_value(text: str) -> JsonValue:
    """Return what unquoted text means in the YAML 1.2 core schema. Raises `NotAScalar` for a number too large."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if text[0] in _MAYBE_NUMBER:
        if _INTEGER.fullmatch(text):
            return _integer(text)
        if _FLOAT.fullmatch(text):
            return _float(text)
    return text


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise NotAScalar("the number is too long")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    value = int(text, base)
    if not -(2**63) <= value < 2**64:
        raise NotAScalar("the number does not fit in 64 bits")
    return value


def _float(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise NotAScalar("the number is too long")
    return float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1].isalpha() else text)


class _Container:
    """A mapping or a list that is still open."""

    __slots__ = ("anchor", "data", "drop", "is_merge", "key", "key_at", "mark_at", "marks", "merges", "size")

    def __init__(self, data: dict[str, JsonValue] | list[JsonValue], mark_at: tuple[int, int], anchor: str | None):
        self.data = data
        self.marks: Marks = {}
        self.mark_at = mark_at
        self.anchor = anchor
        self.size = 1
        self.key: str | None = None
        self.key_at = mark_at
        self.is_merge = False  # the key is `<<`
        self.drop = False  # the key can't be used; its value is read and left out
        self.merges: list[tuple[dict[str, JsonValue], Marks]] = []


class Builder:
    """Feed it a parser's events in order; `data`, `root` and `problems` then describe the document."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.data: JsonValue = None
        self.root: Mark = (0, 0, 0, 0, None)
        self.problems: list[Problem] = []
        self._open: list[_Container] = []
        self._anchors: dict[str, tuple[JsonValue, Mark, int]] = {}
        self._aliased = 0
        self._documents = 0

    def feed(self, event: yaml.Event) -> None:
        """Take the next event. Raises `Unreadable` if continuing makes no sense."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._begin({}, event, "map")
            case yaml.SequenceStartEvent():
                self._begin([], event, "seq")
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def _problem(self, message: str, at: tuple[int, int], hint: str | None = None) -> Problem:
        return Problem(message, self.file, at[0], at[1], hint)

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Unreadable(
                self._problem(
                    "a second YAML document starts here; a file contains one document",
                    _start(event),
                    "Remove the line `---`, or move what follows into another file.",
                )
            )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        at = _start(event)
        top = self._open[-1] if self._open else None
        if top is not None and top.key is None and isinstance(top.data, dict):
            if event.anchor is not None:
                self._anchors[event.anchor] = (event.value, (*at, *at, None), 1)
            self._take_key(top, event.value, at, is_plain=event.implicit[0])
            return
        value = self._scalar_value(event, at)
        self._add(value, at, None, 1, event.anchor)

    def _scalar_value(self, event: yaml.ScalarEvent, at: tuple[int, int]) -> JsonValue:
        text: str = event.value
        try:
            if event.tag is None or event.tag == "!":
                return plain_value(text) if event.implicit[0] and event.tag is None else _whole_text(text)
            return _tagged(event.tag, text)
        except NotAScalar as e:
            self.problems.append(self._problem(str(e), at))
            return None

    def _begin(
        self,
        data: dict[str, JsonValue] | list[JsonValue],
        event: yaml.MappingStartEvent | yaml.SequenceStartEvent,
        kind: str,
    ) -> None:
        at = _start(event)
        if event.tag not in (None, "!", _TAG + kind):
            self.problems.append(self._problem(_unsupported(event.tag), at))
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable(self._problem(f"nested deeper than {MAX_DEPTH} levels", at))
        self._open.append(_Container(data, at, event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.data, dict):
            for merged, marks in done.merges:
                for key, value in merged.items():
                    if key not in done.data:
                        done.data[key] = value
                        done.marks[key] = marks[key]
        self._add(done.data, done.mark_at, done.marks, done.size, done.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        at = _start(event)
        found = self._anchors.get(event.anchor or "")
        if found is None:
            inside = any(c.anchor == event.anchor for c in self._open)
            why = "stands for a value that contains it" if inside else "has no `&` before it"
            self.problems.append(self._problem(f"the alias `*{event.anchor}` {why}", at))
            self._add(None, at, None, 1, None)
            return
        value, mark, size = found
        self._aliased += size
        if self._aliased > MAX_ALIASED_VALUES:
            raise Unreadable(self._problem(f"aliases stand for more than {MAX_ALIASED_VALUES:,} values", at))
        self._add(value, at, mark[4], size, None)

    def _add(
        self, value: JsonValue, at: tuple[int, int], inside: Marks | None, size: int, anchor: str | None
    ) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, (*at, *at, inside), size)
        if not self._open:
            self.data, self.root = value, (*at, *at, inside)
            return
        top = self._open[-1]
        top.size += size
        if isinstance(top.data, list):
            top.marks[len(top.data)] = (*at, *at, inside)
            top.data.append(value)
        elif top.key is None:
            self._key_from(top, value, at)
        else:
            if top.is_merge:
                self._merge(top, value, at, inside)
            elif not top.drop:
                top.data[top.key] = value
                top.marks[top.key] = (*top.key_at, *at, inside)
            top.key, top.is_merge, top.drop = None, False, False

    def _take_key(self, top: _Container, key: str, at: tuple[int, int], *, is_plain: bool) -> None:
        top.key, top.key_at = key, at
        if is_plain and key == "<<":
            top.is_merge = True
        elif key in top.marks:
            first = top.marks[key][0]
            self.problems.append(self._problem(f"`{key}` is given twice, first on line {first}", at))
            top.drop = True

    def _key_from(self, top: _Container, value: JsonValue, at: tuple[int, int]) -> None:
        """A mapping, a list or an alias in the position of a key."""
        if isinstance(value, str):
            self._take_key(top, value, at, is_plain=False)
            return
        self.problems.append(self._problem("a key must be text", at))
        top.key, top.key_at, top.drop = "", at, True

    def _merge(self, top: _Container, value: JsonValue, at: tuple[int, int], inside: Marks | None) -> None:
        if isinstance(value, dict):
            top.merges.append((value, inside or {}))
            return
        if isinstance(value, list) and all(isinstance(v, dict) for v in value):
            for i, item in enumerate(value):
                if isinstance(item, dict):
                    top.merges.append((item, (inside or {})[i][4] or {}))
            return
        self.problems.append(self._problem("`<<` needs a mapping, or a list of mappings", at))


def _start(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


def _tagged(tag: str, text: str) -> JsonValue:
    """Return a scalar with one of YAML's own tags. Raises `NotAScalar` for any other."""
    kind = tag.removeprefix(_TAG)
    if kind == "str":
        return _whole_text(text)
    value = plain_value(text)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
    }
    if kind not in fits:
        raise NotAScalar(_unsupported(tag))
    if not fits[kind]:
        raise NotAScalar(f"this is not what its tag `!!{kind}` says")
    return float(value) if kind == "float" and isinstance(value, int) else value


def _whole_text(text: str) -> str:
    """The parser in Python accepts `"\\ud800"`, which is half a character."""
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise NotAScalar("the text contains half of a UTF-16 pair")
    return text


def _unsupported(tag: str | None) -> str:
    shown = (tag or "").replace(_TAG, "!!")
    return f"the tag `{shown[:60]}` is not supported; only plain values are read"
