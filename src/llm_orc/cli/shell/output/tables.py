"""Tables: aligned and fitted for people, tab-separated and complete for programs."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_GAP = 2
_NARROWEST = 4  # columns that a shrinking column keeps
_READABLE = 10  # columns that it keeps as long as another one can give way


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. In a terminal that is too narrow, columns give way; the others are never shortened.

    First, shrinking columns are cut as far as they are still readable, and those with a `brief` form take it. Then
    columns are left out, those with the lowest `leaves` first; at last, shrinking columns are cut further.
    """

    title: str
    is_number: bool = False  # right-aligned
    shrinks: bool = False
    leaves: int = 0  # its turn to be left out; 0: never
    brief: Callable[[str], str] | None = None  # a cell in fewer characters, with the same meaning


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table as text, each line ended, and the titles of the columns that had no room."""

    text: str
    left_out: tuple[str, ...]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """Return the rows as text, each line ended.

    With a width: a header and aligned columns, as narrow as they have to be. Without: no header, cells separated
    by tabs, nothing shortened or left out.
    """
    return fitted(columns, rows, width).text


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Fitted:
    """Return the table as `table` does, with what had no room."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if width is None:
        return Fitted("".join("\t".join(row) + "\n" for row in cells), ())
    kept = [_Filled(column, [column.title, *(row[i] for row in cells)]) for i, column in enumerate(columns)]
    if _excess(kept, width, _READABLE) > 0:
        kept = [one.briefly() for one in kept]
    left_out: list[str] = []
    while _excess(kept, width, _READABLE) > 0:
        leaving = min((one for one in kept if one.column.leaves), key=lambda one: one.column.leaves, default=None)
        if leaving is None:
            break
        kept.remove(leaving)
        left_out.append(leaving.column.title)
    widths = _widths(kept, width)
    lines = zip(*(one.padded(own) for one, own in zip(kept, widths, strict=True)), strict=True)
    text = "".join((" " * _GAP).join(line).rstrip() + "\n" for line in lines)
    return Fitted(text, tuple(column.title for column in columns if column.title in left_out))


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column with its title and cells."""

    column: Column
    cells: list[str]

    @property
    def width(self) -> int:
        return max(map(cell_width, self.cells))

    def least(self, shrunk: int) -> int:
        """Return its width if it is shrunk to at most that, where it shrinks."""
        return min(self.width, shrunk) if self.column.shrinks else self.width

    def briefly(self) -> _Filled:
        brief = self.column.brief
        return self if brief is None else _Filled(self.column, [self.cells[0], *map(brief, self.cells[1:])])

    def padded(self, width: int) -> Iterator[str]:
        for cell in self.cells:
            text = cut(cell, width)
            padding = " " * (width - cell_width(text))
            yield padding + text if self.column.is_number else text + padding


def _excess(kept: Sequence[_Filled], width: int, shrunk: int) -> int:
    return sum(one.least(shrunk) for one in kept) + _GAP * (len(kept) - 1) - width


def _widths(kept: Sequence[_Filled], width: int) -> list[int]:
    """Shorten the widest of the shrinking columns, one cell at a time, until the table fits."""
    widths = [one.width for one in kept]
    shrinking = [i for i, one in enumerate(kept) if one.column.shrinks]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    while excess > 0 and shrinking:
        widest = max(shrinking, key=lambda i: widths[i])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def cut(text: str, width: int) -> str:
    """Return the text in at most `width` terminal cells, with an ellipsis if something is missing."""
    if cell_width(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += cell_width(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + "…"


def tail(text: str, width: int) -> str:
    """Return the end of the text in at most `width` terminal cells."""
    return cut(text[::-1][: width + 1], width)[::-1] if cell_width(text) > width else text


def cell_width(text: str) -> int:
    """Return how many terminal cells the text takes: East Asian wide ones two, combining marks none (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
