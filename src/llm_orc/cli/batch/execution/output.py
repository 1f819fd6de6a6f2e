"""Write a batch's results: lines as rows finish, or a whole file at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_orc.app.batches.admin import about_row, error_of
from llm_orc.cli.shell.output.streams import is_terminal
from llm_orc.formats.batch import Columns, csv_heading, csv_row, row_line, row_markdown, row_text, row_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from llm_orc.batches.batch import BatchRow

_NONE = Columns((), ())


def row_texts(rows: Iterable[BatchRow], columns: Callable[[], Columns], form: str) -> Iterator[str]:
    """Yield the rows as text in `form`, with a header if the format has one."""
    of_table = columns() if form == "csv" else _NONE
    if form == "csv":
        yield csv_heading(of_table)
    for row in rows:
        yield _text(row, of_table, form)


def _text(row: BatchRow, columns: Columns, form: str) -> str:
    if form == "csv":
        return csv_row(columns, about_row(row), row.result, error_of(row))
    if form == "text":
        return row_text(row.result)
    if form == "markdown":
        return row_markdown(about_row(row), row.result, error_of(row))
    return row_line(row_value(about_row(row), row.result, error_of(row)))


class RowStream:
    """Writes rows to standard output as they finish; with `in_order` each waits for those before it."""

    def __init__(self, columns: Callable[[], Columns], form: str, *, in_order: bool) -> None:
        """`columns` is called for a table's columns when the first row arrives."""
        self._of_table, self._form, self._in_order = columns, form, in_order
        self._columns = _NONE
        self._kept: dict[int, BatchRow] = {}
        self._next = 1
        self._began = False

    def write(self, rows: Sequence[BatchRow]) -> None:
        if not self._began and self._form == "csv":
            self._columns = self._of_table()
            sys.stdout.write(csv_heading(self._columns))
        self._began = True
        if self._in_order:
            self._kept.update((row.number, row) for row in rows)
            rows = list(self._ready())
        for row in rows:
            sys.stdout.write(_text(row, self._columns, self._form))
        sys.stdout.flush()

    def _ready(self) -> Iterator[BatchRow]:
        while self._next in self._kept:
            yield self._kept.pop(self._next)
            self._next += 1


def streams_rows() -> bool:
    """True if rows are written as they finish: not to a terminal, where they would mix with the progress line."""
    return not is_terminal(sys.stdout)
