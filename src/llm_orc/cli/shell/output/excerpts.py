"""A problem in a file, as compilers show it: its place, the line with a caret below it, and the hint."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import Styled
from llm_orc.cli.shell.output.tables import cell_width
from llm_orc.formats.printable import printable
from llm_orc.storage.shown_path import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from llm_orc.errors import Problem

    Line = Sequence[str | Styled]

_WIDEST = 120  # columns of an excerpt where no terminal says how many there are
_NARROWEST = 20
_TAB = " " * 4
_MASK = "***"
_LINE_ENDS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # those of YAML 1.1, which the positions count


def problem_lines(problem: Problem, kind: str = "error", *, columns: int | None = None) -> Iterator[Line]:
    """Return the lines that show a problem: `FILE:LINE:COLUMN: message` first, where editors look for it.

    `kind` is `error` or `warning`. `columns`: those of the terminal; None: there is none.
    """
    place, colour = place_of(problem), "red" if kind == "error" else "yellow"
    sort = Styled(kind, colour)
    if place is None:
        yield [sort, f": {problem.message}"]
    elif kind == "error":
        yield [Styled(place, "bold"), f": {problem.message}"]
    else:
        yield [Styled(place, "bold"), ": ", sort, f": {problem.message}"]
    gutter = " " * len(str(problem.line))
    shown = _excerpt(problem, (columns or _WIDEST) - len(gutter) - len(" | "))
    if shown is not None:
        line, caret = shown
        yield [Styled(f"{gutter} |", "cyan")]
        yield [Styled(f"{problem.line} |", "cyan"), f" {line}".rstrip()]
        yield [Styled(f"{gutter} |", "cyan"), f" {' ' * caret}", Styled("^", colour)]
    if problem.hint:
        first, *rest = problem.hint.split("\n")
        yield [Styled(f"{gutter} =", "cyan"), f" hint: {first}"]
        yield from ([f"{gutter}   {line}"] for line in rest)


def place_of(problem: Problem) -> str | None:
    """Return `FILE:LINE:COLUMN`; None for a problem in no file."""
    if problem.file is None:
        return f"line {problem.line}, column {problem.column}" if problem.line else None
    file = shown_path(problem.file)
    return f"{file}:{problem.line}:{problem.column}" if problem.line else file


def _excerpt(problem: Problem, width: int) -> tuple[str, int] | None:
    """Return the line of the problem in at most `width` cells, and the cell of its place; None without a line.

    None also for a line that is refused because a key seems to be in it.
    """
    from llm_orc.settings.types.values import KEY_HINT

    if problem.file is None or not problem.line or problem.hint == KEY_HINT:
        return None
    lines = _lines_of(problem.file)
    if problem.line > len(lines):
        return None
    line = lines[problem.line - 1]
    pieces = _pieces(line)
    return _around(pieces, min(max(problem.column - 1, 0), len(line)), max(width, _NARROWEST))


@lru_cache(maxsize=4)
def _lines_of(file: Path) -> list[str]:
    """Return the lines of the file as it is now; none if it can't be read any more."""
    from llm_orc.storage.yaml_source import regular_bytes

    try:
        data = regular_bytes(file)
    except (OSError, ValueError):
        return []
    return _LINE_ENDS.split(data.decode("utf-8-sig", "replace")) if data else []


def _pieces(line: str) -> list[str]:
    """Return what is shown for each character of the line."""
    from llm_orc.auth.key_shapes import key_spans

    pieces = [_TAB if character == "\t" else printable(character) for character in line]
    for start, end in key_spans(line):
        pieces[start:end] = [_MASK, *[""] * (end - start - 1)]
    return pieces


def _around(pieces: list[str], place: int, width: int) -> tuple[str, int]:
    """Cut the line on both sides of the place where it is too long; an ellipsis stands for what is missing."""
    widths = [cell_width(piece) for piece in pieces]
    before = sum(widths[:place])
    if before + sum(widths[place:]) <= width:
        return "".join(pieces), before
    start = place
    room = (width - len("……")) // 2 if before > (width - 1) // 2 else before
    while start > 0 and widths[start - 1] <= room:
        start -= 1
        room -= widths[start]
    head = "…" if start else ""
    caret = len(head) + sum(widths[start:place])
    end, room = start, width - len(head)
    fits = sum(widths[start:]) <= room
    room -= 0 if fits else 1
    while end < len(pieces) and widths[end] <= room:
        room -= widths[end]
        end += 1
    return f"{head}{''.join(pieces[start:end])}{'' if end == len(pieces) else '…'}", caret
