"""The lowest lines of a terminal, painted again and again; what is written above them stays."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.tables import cell_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_SIZE = (80, 24)  # where a terminal does not tell it


def terminal_size(stream: TextIO) -> tuple[int, int]:
    """Return columns and rows as they are now: people resize windows."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return _SIZE
    return size.columns or _SIZE[0], size.lines or _SIZE[1]


class Region:
    """Repaints its lines through `write`. Between paintings the cursor stands below them, in the first column."""

    def __init__(self, stream: TextIO, write: Callable[[str], None]) -> None:
        self._stream, self._write = stream, write
        self._painted: list[int] = []  # the width of each line
        self._is_begun = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns, and the rows that `paint` can use."""
        columns, rows = terminal_size(self._stream)
        return columns, max(rows - 1, 1)

    def paint(self, lines: Sequence[str], above: str = "") -> None:
        """Write `above`, whole lines, for good; then paint the lines below it.

        No line may be wider than the terminal, nor may there be more than its rows.
        """
        if not self._is_begun and not lines:
            if above:
                self._write(above)
            return
        start = "" if self._is_begun else _begin()
        self._is_begun = True
        back = f"\x1b[{self._rows()}A" if self._painted else ""
        cleared = "\x1b[J" if above else ""
        painted = "".join(f"\r\x1b[K{line}\n" for line in lines)
        self._write(f"{start}{back}\r{cleared}{above}{painted}\x1b[J")
        self._painted = [cell_width(_STYLE.sub("", line)) for line in lines]

    def close(self, above: str = "") -> None:
        """Write `above` for good, remove the lines, and give the terminal back."""
        self.paint((), above)
        if self._is_begun:
            self._write(_SHOW_CURSOR)
        self._is_begun = False

    def _rows(self) -> int:
        """Return how many rows the lines take now: a terminal that became narrower has broken them."""
        columns, _ = terminal_size(self._stream)
        return sum(max(1, -(-width // columns)) for width in self._painted)


def _begin() -> str:
    if sys.platform == "win32":
        os.system("")  # noqa: S605, S607 - makes a console of Windows understand escape sequences
    return _HIDE_CURSOR
