"""Runs beside each other on the screen: what each took, and their answers in columns if there is room."""

from __future__ import annotations

import sys
from itertools import zip_longest
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import columns
from llm_orc.cli.shell.output.tables import Column, cell_width, cut, table, tail
from llm_orc.formats.comparison import FIGURES, run_figures
from llm_orc.formats.printable import one_line, printable
from llm_orc.formats.quoting import quoted_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.runs.results import RunResult

_NARROWEST = 36  # cells of a column of text that is still read with ease
_IN_A_PIPE = 10_000  # cells: aligned there too, because answers follow and no program reads it
_NARROWEST_NAME = 20
_GAP = " │ "
_HEADING = (
    Column(""),  # the names, which never look alike
    Column(FIGURES[0], shrinks=True),
    Column(FIGURES[1], shrinks=True),
    Column(FIGURES[2], is_number=True),
    Column(FIGURES[3], is_number=True, leaves=3),
    Column(FIGURES[4], is_number=True, leaves=4),
    Column(FIGURES[5], is_number=True),
    Column(FIGURES[6], leaves=5),
    Column(FIGURES[7], leaves=1),
)


def figures_table(runs: Sequence[tuple[str, RunResult]]) -> str:
    """Return a line for each run, after its name."""
    width = columns(sys.stdout) or _IN_A_PIPE
    names = shortened([name for name, _ in runs], max(_NARROWEST_NAME, width * 2 // 5))
    rows = [(name, *run_figures(result)) for name, (_, result) in zip(names, runs, strict=True)]
    return table(_HEADING, rows, width)


def shortened(names: Sequence[str], width: int) -> list[str]:
    """Return the names in at most `width` cells each, or whole if two would look alike otherwise."""
    lines = [one_line(name) for name in names]
    for shorten in (cut, tail, _ends):
        found = [shorten(line, width) for line in lines]
        if len(set(found)) == len(set(lines)):
            return found
    return lines


def _ends(text: str, width: int) -> str:
    """Return the beginning and the end of the text in at most `width` terminal cells."""
    return text if cell_width(text) <= width else cut(text, width // 2) + tail(text, width - width // 2)[1:]


def texts_side_by_side(texts: Sequence[tuple[str, str]]) -> str:
    """Return the texts in columns below their titles, if the screen is wide enough; else one below the other."""
    width = columns(sys.stdout)
    own = ((width or 0) - len(_GAP) * (len(texts) - 1)) // len(texts)
    if own < _NARROWEST:
        return "\n".join("\n".join((f"=== {one_line(name)}", "", *quoted_text(text), "")) for name, text in texts)
    names = shortened([name for name, _ in texts], own)
    filled = [
        [*_wrapped(name, own), "─" * own, *_wrapped(text, own)]
        for name, (_, text) in zip(names, texts, strict=True)
    ]
    lines = (
        _GAP.join(_padded(part, own) for part in line).rstrip() for line in zip_longest(*filled, fillvalue="")
    )
    return "\n".join(lines) + "\n"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the lines of the text, broken between words; a line keeps its indentation."""
    for line in printable(text).expandtabs(4).rstrip("\n").split("\n"):
        rest = line
        while cell_width(rest) > width:
            head = _head(rest, width)
            yield head.rstrip()
            rest = rest[len(head) :].lstrip()
        yield rest


def _head(text: str, width: int) -> str:
    """Return as much of the text as fits, up to the end of a word if there is one."""
    fits = used = 0
    for character in text:
        used += cell_width(character)
        if used > width:
            break
        fits += 1
    space = text.rfind(" ", 1, fits + 1)
    return text[:space] if space > 0 and text[:space].strip() else text[: max(fits, 1)]
