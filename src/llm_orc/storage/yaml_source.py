"""Read YAML as plain data with the position of each value. Never executes a tag, never raises for bad input.

Scalars follow the YAML 1.2 core schema: only `true` and `false` are booleans, dates stay text, keys are text.
Merge keys (`<<`) are kept from YAML 1.1, because people use them to share values between agents.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

import yaml

from llm_orc.dataclass import dataclass
from llm_orc.errors import Problem
from llm_orc.storage.yaml_build import Builder, Mark, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

MAX_BYTES = 5 * 1024 * 1024

KeyPath = tuple[str | int, ...]  # ("agents", 3, "name")

# Only their events are used; the two make the same ones.
_PARSER: Any = yaml.cyaml.CParser if yaml.__with_libyaml__ else yaml.SafeLoader  # type: ignore[attr-defined]
_NOWHERE: Mark = (0, 0, 0, 0, None)
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = (
    ("mapping values are not allowed", "Put text that contains `: ` in quotes."),
    ("cannot start any token", "Indent with spaces, not tabs; put text that starts with `@`, `%` or ` in quotes."),
    ("could not find expected ':'", "A key is followed by `:` and a space; text of several lines needs `|`."),
    ("did not find expected key", "Keys of one mapping start in the same column; close every quote."),
    ("found unexpected end of stream", "A quote is not closed."),
)


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column count from 1; 0 means the file as a whole."""

    line: int = 0
    column: int = 0


class Located:
    """A document's data, the problems found while reading it, and the position of each of its values."""

    __slots__ = ("_root", "_text", "data", "file", "problems")

    def __init__(
        self,
        file: Path | None,
        data: JsonValue = None,
        root: Mark = _NOWHERE,
        problems: tuple[Problem, ...] = (),
        text: str = "",
    ) -> None:
        self.file = file
        self.data = data
        self.problems = problems
        self._root = root
        self._text = text  # the whole document, to find places within its values

    @property
    def is_empty(self) -> bool:
        """True for a readable file with nothing in it but comments."""
        return self.data is None and not self.problems

    def key_at(self, path: KeyPath) -> Position:
        """Return the position of the last key of `path`; for an item of a list, where the item starts."""
        mark = self._mark(path)
        return Position(mark[0], mark[1])

    def value_at(self, path: KeyPath) -> Position:
        """Return where the value starts. A path that does not exist has the position of its nearest parent."""
        mark = self._mark(path)
        return Position(mark[2], mark[3])

    def place_in(self, path: KeyPath, value: str, start: int, end: int) -> Position:
        """Return where the characters from `start` to `end` of the text `value`, which is at `path`, stand.

        Where they are written in another way, as with an escape in quotes, it is where the value starts.
        """
        wanted = value[start:end]
        begins = self.value_at(path)
        if not begins.line or not wanted:
            return begins
        at = _index(self._text, begins) - 1
        for _ in range(value.count(wanted, 0, start) + 1):
            at = self._text.find(wanted, at + 1)
            if at < 0:
                return begins
        return Position(*_place(self._text, at))

    def problem_at(self, message: str, place: Position, hint: str | None = None) -> Problem:
        """Return a problem of this file at a place in it."""
        return Problem(message, self.file, place.line, place.column, hint)

    def problem(self, message: str, path: KeyPath, *, at_key: bool = False, hint: str | None = None) -> Problem:
        """Return a problem of this file, at the value that `path` leads to or at its key."""
        return self.problem_at(message, self.key_at(path) if at_key else self.value_at(path), hint)

    def _mark(self, path: KeyPath) -> Mark:
        mark = self._root
        for step in path:
            inside = mark[4]
            found = inside.get(step) if inside else None
            if found is None:
                break
            mark = found
        return mark


def read_yaml_file(path: Path) -> Located:
    """Read one file. What is wrong with it is in `problems`, and `data` is then None or what could be read."""
    try:
        data = regular_bytes(path)
    except OSError as e:
        return _refused(path, f"can't be read: {e.strerror or e}")
    except ValueError:
        return _refused(path, "is not the name of a file")
    if data is None:
        kind = "a folder" if path.is_dir() else "not a regular file"
        return _refused(path, f"is {kind}, where a YAML file is needed")
    return read_yaml_text(data, path)


def read_yaml_text(source: str | bytes, file: Path | None = None) -> Located:
    """Read text, or bytes that are UTF-8. `file` is only named in the problems."""
    if len(source) > MAX_BYTES:
        return _refused(file, f"is larger than {MAX_BYTES // 1024 // 1024} MB")
    if isinstance(source, bytes):
        if b"\0" in source[:8192] and not source.startswith((b"\xff\xfe", b"\xfe\xff")):
            return _refused(file, "is not a text file")
        try:
            source = source.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            line, column = _place(source, e.start)
            problem = Problem("is not UTF-8 text", file, line, column, "Save the file as UTF-8.")
            return Located(file, problems=(problem,))
    return _parsed(source.removeprefix("\ufeff"), file)


def _parsed(text: str, file: Path | None) -> Located:
    strange = _NOT_ALLOWED.search(text)
    if strange is not None:
        line, column = _place(text, strange.start())
        message = f"the character U+{ord(strange.group()):04X} is not allowed in YAML"
        return Located(file, problems=(Problem(message, file, line, column),))
    builder = Builder(file)
    parser = _PARSER(text)
    try:
        while parser.check_event():
            builder.feed(parser.get_event())
    except Unreadable as e:
        return Located(file, problems=(*builder.problems, e.problem))
    except yaml.YAMLError as e:
        return Located(file, problems=(*builder.problems, _syntax_problem(e, file)))
    finally:
        parser.dispose()
    return Located(file, builder.data, builder.root, tuple(builder.problems), text)


def _syntax_problem(error: yaml.YAMLError, file: Path | None) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("is not valid YAML", file)
    mark = error.problem_mark or error.context_mark
    said = error.problem or error.context or "is not valid YAML"
    hint = next((hint for part, hint in _HINTS if part in said), None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return Problem(f"is not valid YAML: {said}", file, line, column, hint)


def regular_bytes(path: Path) -> bytes | None:
    """Return at most `MAX_BYTES` and one more; None for anything but a regular file. Never waits on a pipe.

    Raises `OSError`, and `ValueError` for what can't be a file's name.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(MAX_BYTES + 1)


def _place(source: str | bytes, index: int) -> tuple[int, int]:
    before = source[:index] if isinstance(source, str) else source[:index].decode("utf-8-sig", "replace")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _index(text: str, position: Position) -> int:
    """Return the index of the character at this line and column."""
    at = 0
    for _ in range(position.line - 1):
        at = text.find("\n", at) + 1
    return at + position.column - 1


def _refused(file: Path | None, message: str) -> Located:
    return Located(file, problems=(Problem(message, file),))
