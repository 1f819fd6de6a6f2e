"""Read YAML as plain data that knows where each value stands. Never runs a tag, never raises for bad input.

Scalars follow the YAML 1.2 core schema: only `true` and `false` are booleans, dates stay text, keys are text.
Merge keys (`<<`) are kept from YAML 1.1, because people use them to share values between agents.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import yaml

from llm_orc.errors import Problem
from llm_orc.storage.yaml_build import Builder, Marks, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

MAX_BYTES = 5 * 1024 * 1024

KeyPath = tuple[str | int, ...]  # ("agents", 3, "name")

_PARSER: Any = getattr(yaml, "CParser", None)
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = (
    ("mapping values are not allowed", "put text that holds `: ` in quotes"),
    ("cannot start any token", "indent with spaces, not tabs, and put text that begins with a sign in quotes"),
    ("could not find expected ':'", "a key is followed by `:` and a space; text of several lines needs `|`"),
    ("did not find expected key", "keys of one mapping begin in the same column; close every quote"),
    ("found unexpected end of stream", "a quote or a bracket is not closed"),
)


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column count from 1; 0 means the file as a whole."""

    line: int = 0
    column: int = 0


class Located:
    """A document's data, the problems met while reading it, and where each of its values stands."""

    __slots__ = ("_marks", "data", "file", "problems")

    def __init__(
        self,
        file: Path | None,
        data: JsonValue = None,
        marks: Marks | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        self.file = file
        self.data = data
        self.problems = problems
        self._marks: Marks = marks if marks is not None else {}

    @property
    def is_empty(self) -> bool:
        """True for a readable file with nothing in it but comments."""
        return self.data is None and not self.problems

    def key_at(self, path: KeyPath) -> Position:
        """Return where the last key of `path` stands; for an item of a list, where the item does."""
        line, column, _, _, _ = self._mark(path)
        return Position(line, column)

    def value_at(self, path: KeyPath) -> Position:
        """Return where the value begins; what `path` does not reach is looked for at its nearest parent."""
        _, _, line, column, _ = self._mark(path)
        return Position(line, column)

    def problem(self, message: str, path: KeyPath, *, at_key: bool = False, hint: str | None = None) -> Problem:
        position = self.key_at(path) if at_key else self.value_at(path)
        return Problem(message, self.file, position.line, position.column, hint)

    def _mark(self, path: KeyPath) -> tuple[int, int, int, int, Marks | None]:
        marks: Marks | None = self._marks
        found = self._marks[""]if "" in self._marks and not path else None
        best = found or (0, 0, 0, 0, None)
        for step in path:
            mark = marks.get(step) if marks else None
            if mark is None:
                break
            best, marks = mark, mark[4]
        return best
