"""The text of `llm-orc --help` in the style of click, but without click, which takes long to load."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llm_orc.cli.table import (
    ABOUT,
    COMMANDS,
    DEBUG,
    DIRECTORY,
    EXAMPLES,
    EXIT_CODES,
    HELP,
    LINKS,
    NO_INPUT,
    VERSION,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WIDEST, _NARROWEST, _USUAL = 100, 50, 80  # columns
_OPTION_GAP, _COMMAND_GAP = 2, 3


def root_help(columns: int | None = None) -> str:
    """Return the help of the program itself, for a terminal of so many columns; None: those that there are."""
    width = max(min(columns or _columns(), _WIDEST) - 2, _NARROWEST)
    return "".join(f"{line}\n" for line in _lines(width))


def _lines(width: int) -> Iterator[str]:
    yield "Usage: llm-orc [OPTIONS] [COMMAND] [ARGS]..."
    yield ""
    yield from (f"  {line}" for line in _wrapped(ABOUT, width - 2))
    yield ""
    yield from (f"  {line}" for line in EXAMPLES.splitlines())
    yield ""
    yield "Options:"
    yield from _table([(o.usage, o.help) for o in (VERSION, DIRECTORY, NO_INPUT, DEBUG, HELP)], width, _OPTION_GAP)
    longest = max(len(row.name) for row in COMMANDS)
    for section in dict.fromkeys(row.section for row in COMMANDS):
        yield ""
        yield f"{section}:"
        rows = [(row.name.ljust(longest), row.summary) for row in COMMANDS if row.section == section]
        yield from _table(rows, width, _COMMAND_GAP)
    yield ""
    yield from (f"  {line}".rstrip() for line in closing_lines())


def closing_lines() -> Iterator[str]:
    """Return the last paragraphs of the help: exit codes, and where to read and to report."""
    yield from EXIT_CODES.splitlines()
    yield ""
    yield "More: `llm-orc help COMMAND`"
    yield from (f"{title}: {address}" for title, address in LINKS)


def _table(rows: Iterable[tuple[str, str]], width: int, gap: int) -> Iterator[str]:
    rows = list(rows)
    first = max(len(name) for name, _ in rows) + gap
    for name, text in rows:
        begin, *rest = _wrapped(text, max(width - first - 2, 10))
        yield f"  {name.ljust(first)}{begin}"
        yield from (f"  {' ' * first}{line}" for line in rest)


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _columns() -> int:
    """As `shutil.get_terminal_size`, without loading what copies files."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else _USUAL
    except (OSError, ValueError):
        return _USUAL
