"""Inputs from a table, as CSV. A stray quote that swallows rows is found before any row is run."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from typing import TYPE_CHECKING

from llm_orc.app.batches.input_lines import Input, split_lines
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue

_HINT = 'Write a quote inside a cell twice, and put the cell in quotes: `"say ""yes"""`. Nothing was sent.'
_HINT_ONE_CELL = (
    "If it is one cell, remove the line breaks, or write the inputs as JSON lines (FILE.jsonl)."
    " If not, close the quote or remove it. Nothing was sent."
)


def table_rows(text: str, delimiter: str | None = None) -> Iterator[Input]:
    """Yield the rows of a table whose first line names the columns. `delimiter` None: guessed from that line.

    A row that can't be read is an input with an error. Raises `InputError` if a quote makes it uncertain which
    lines are rows: it is never closed, or seems to have swallowed other rows.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    lines = split_lines(text)
    if delimiter is None:
        delimiter = _delimiter(next((line for line in lines if line.strip()), ""))
    heading: list[str] = []
    for first, after, cells in _records(lines, delimiter):
        if not heading:
            if isinstance(cells, csv.Error):
                raise InputError(f"the header (line {first}) is not CSV: {cells}", hint=_HINT)
            heading = _heading(cells, first)
        elif isinstance(cells, csv.Error):
            yield Input(first, error=f"line {first} is not CSV: {cells}")
        elif len(cells) != len(heading):
            if after > first + 1:
                raise _swallowed(first, after - 1)
            yield Input(first, error=f"line {first} has {len(cells)} columns, the header {len(heading)}")
        else:
            if _are_rows(lines[first : after - 2], delimiter, len(heading)):
                raise InputError(
                    f"quotes make one row of lines {first} to {after - 1}, and the lines between look like rows",
                    hint=_HINT_ONE_CELL,
                )
            yield Input(first, _fields(heading, cells))


def _records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, int, list[str] | csv.Error]]:
    """Yield the first line of each record, the line after it, and its cells or the error in it.

    Empty records are left out. Raises `InputError` if an error covers more than one line.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            cells: list[str] | csv.Error = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            if reader.line_num > first or "unexpected end" in str(e):
                raise _swallowed(first, reader.line_num) from e
            cells = e
        if cells:
            yield first, reader.line_num + 1, cells


def _delimiter(heading: str) -> str:
    """Guess the delimiter from the heading: where numbers have a decimal comma, tables have semicolons."""
    return ";" if heading.count(";") > heading.count(",") else ","


def _heading(cells: Sequence[str], line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for name, times in Counter(names).items() if name and times > 1), None)
    if twice is not None:
        raise InputError(
            f"the header has two columns `{twice[:80]}` (line {line})", hint="Give one of them another name."
        )
    return names


def _fields(heading: Sequence[str], cells: Sequence[str]) -> dict[str, JsonValue]:
    """Return the cells by column. A column without a name gets a number, or is left out if it is empty."""
    return {
        name or f"column {number}": cell
        for number, (name, cell) in enumerate(zip(heading, cells, strict=True), 1)
        if name or cell.strip()
    }


def _are_rows(lines: Sequence[str], delimiter: str, columns: int) -> bool:
    """Whether each of these lines, which are inside a cell, looks like a row of its own.

    One column can't tell; and since prose has commas too, with two columns it takes more than one line.
    """
    if not lines or columns < 2 or (columns == 2 and len(lines) < 2):
        return False
    return all(line.strip() and line.count(delimiter) == columns - 1 for line in lines)


def _swallowed(first: int, last: int) -> InputError:
    return InputError(
        f"the row that starts on line {first} has a quote that is not closed at its cell's end, so it extends to"
        f" line {last}, and the rows in between would be lost",
        hint=_HINT,
    )
