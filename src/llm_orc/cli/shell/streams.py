"""The three standard streams: data to stdout, words for people to stderr, and what each of them can show."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING

from llm_orc.cli.shell.process.standard_streams import deliver
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from typing import TextIO

_CODES = {"red": "31;1", "green": "32", "yellow": "33;1", "cyan": "36", "dim": "2", "bold": "1"}


def prepare_streams() -> None:
    """Make every text writable: UTF-8 in a pipe or file whatever the locale, and no error for a lone surrogate."""
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


@dataclass(frozen=True, slots=True)
class Styled:
    """A part of a note in a colour of ours; the one way to send an escape sequence with words."""

    text: str
    name: str

    def __str__(self) -> str:
        return self.text


def write_data(text: str, *, is_printable: bool = False) -> None:
    """Write text for people to stdout, printable in a pipe too: it may lead to a terminal (`| tee`).

    `is_printable`: it is already, and its line ends are to stay as they are. Raises `BrokenPipeError` where its
    reader has gone, `StorageError` where it takes no more.
    """
    from llm_orc.formats.printable import printable

    try:
        deliver(text if is_printable else printable(text))
    except BrokenPipeError:
        raise
    except OSError as e:
        raise undelivered(e) from e


def undelivered(failure: OSError, hint: str | None = None) -> OSError | StorageError:
    """Return what to raise where standard output takes no more; `hint` says where the data is kept."""
    if isinstance(failure, BrokenPipeError):
        return failure
    return StorageError(f"standard output takes no more: {failure.strerror or failure}", hint=hint)


def note(*parts: str | Styled) -> None:
    """Write the parts, printable, as one line for people to stderr. That nobody reads it is no reason to fail."""
    from llm_orc.formats.printable import printable

    line = "".join(_coloured(part) if isinstance(part, Styled) else printable(part) for part in parts)
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def _coloured(part: Styled) -> str:
    from llm_orc.formats.printable import printable

    text = printable(part.text)
    return f"\x1b[{_CODES[part.name]}m{text}\x1b[0m" if has_colour(sys.stderr) else text
