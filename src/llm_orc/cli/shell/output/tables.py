"""Tables: aligned and fitted for people, tab-separated and complete for programs."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = 2
_NARROWEST = 4  # columns that a shrinking column keeps


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    is_number: bool = False  # right-aligned
    shrinks: bool = False  # may be shortened to fit the terminal; the others never are


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """Return the rows as text, each line ended.

    With a width: a header and aligned columns, the shrinking ones shortened to fit. Without: no header, cells
    separated by tabs, nothing shortened.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    if width is None:
        return "".join("\t".join(row) + "\n" for row in cells)
    cells.insert(0, [column.title for column in columns])
    widths = _fitted(columns, [max(map(cell_width, column)) for column in zip(*cells, strict=True)], width)
    return "".join(_line(columns, row, widths).rstrip() + "\n" for row in cells)


def _fitted(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Shorten the widest of the shrinking columns, one cell at a time, until the table fits."""
    shrinking = [i for i, column in enumerate(columns) if column.shrinks]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    while excess > 0 and shrinking:
        widest = max(shrinking, key=lambda i: widths[i])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(_cells(columns, row, widths))


def _cells(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for column, cell, width in zip(columns, row, widths, strict=True):
        text = cut(cell, width)
        padding = " " * (width - cell_width(text))
        yield padding + text if column.is_number else text + padding


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
