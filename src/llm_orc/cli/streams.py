"""The three standard streams: data to stdout, words for people to stderr, and what each of them can show."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_CODES = {"red": "31;1", "green": "32", "yellow": "33;1", "cyan": "36", "dim": "2", "bold": "1"}


def prepare_streams() -> None:
    """Make every text writable: UTF-8 in a pipe or file whatever the locale, and no error for a lone surrogate."""
    if sys.stdout is None:  # started with `>&-`
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            encoding = None if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def is_terminal(stream: TextIO | None) -> bool:
    """Is a person there? A closed stream is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def moves_cursor(stream: TextIO | None) -> bool:
    """Can lines be painted over? Not in a pipe, and not in a terminal that calls itself dumb."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO | None) -> bool:
    """https://no-color.org: any value but the empty one switches colours off."""
    return moves_cursor(stream) and not os.environ.get("NO_COLOR")


def columns(stream: TextIO | None) -> int | None:
    """Return the width to fit tables into; None where lines may be of any length."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


def style(text: str, name: str) -> str:
    """Return the text coloured for stderr, where stderr shows colours."""
    return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if has_colour(sys.stderr) else text


def write_data(text: str) -> None:
    """Write to stdout: as it is into a pipe or file, without control characters into a terminal."""
    if is_terminal(sys.stdout):
        from llm_orc.formats.printable import printable

        text = printable(text)
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str = "") -> None:
    """Write a line for people to stderr. That nobody reads it is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)
