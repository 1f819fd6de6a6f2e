"""The three standard streams: data to stdout, messages to stderr, and what each of them can show."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from llm_orc.cli.shell.process.standard_streams import deliver
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

_CODES = {"red": "31;1", "green": "32", "yellow": "33;1", "cyan": "36", "dim": "2", "bold": "1"}


def prepare_streams() -> None:
    """Make all text writable: UTF-8 in a pipe or file whatever the locale, and no error for a lone surrogate."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            encoding = None if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def is_terminal(stream: TextIO | None) -> bool:
    """Is it a terminal? A closed stream is not."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def moves_cursor(stream: TextIO | None) -> bool:
    """Can lines be repainted? Not in a pipe, and not in a dumb terminal."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO | None) -> bool:
    """Say whether text may be coloured; the first of these that is set and not empty decides.

    `NO_COLOR` switches colours off (https://no-color.org). `CLICOLOR_FORCE` and `FORCE_COLOR` switch them on, in a
    pipe too, or off if they are `0`. `CLICOLOR=0` switches them off (https://bixense.com/clicolors). Without any
    of them, terminals have colours, except dumb ones.
    """
    environ = os.environ
    if environ.get("NO_COLOR"):
        return False
    for name in ("CLICOLOR_FORCE", "FORCE_COLOR"):
        if value := environ.get(name):
            return value not in {"0", "false"}
    return environ.get("CLICOLOR") != "0" and moves_cursor(stream)


def columns(stream: TextIO | None) -> int | None:
    """Return the width for tables; None if lines may have any length."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


@dataclass(frozen=True, slots=True)
class Styled:
    """A coloured part of a message; the only way to send an escape sequence with text."""

    text: str
    name: str

    def __str__(self) -> str:
        return self.text


def write_data(text: str, *, is_printable: bool = False) -> None:
    """Write text for people to stdout, printable even in a pipe: it may lead to a terminal (`| tee`).

    `is_printable`: the text is printable already, and its line ends stay as they are. Raises `BrokenPipeError` if
    the reader is gone, `StorageError` if stdout accepts no more.
    """
    from llm_orc.formats.printable import printable

    try:
        deliver(text if is_printable else printable(text))
    except BrokenPipeError:
        raise
    except OSError as e:
        raise undelivered(e) from e


def undelivered(failure: OSError, hint: str | None = None) -> OSError | StorageError:
    """Return the error for a standard output that accepts no more; `hint` says where the data is stored."""
    if isinstance(failure, BrokenPipeError):
        return failure
    return StorageError(f"standard output accepts no more: {failure.strerror or failure}", hint=hint)


def note(*parts: str | Styled) -> None:
    """Write the parts, printable, as one line to stderr. Never fails, even if nothing reads it."""
    with contextlib.suppress(OSError, ValueError):
        print(painted(parts, sys.stderr), file=sys.stderr, flush=True)


def painted(parts: Iterable[str | Styled], stream: TextIO | None) -> str:
    """Return the parts as one printable text, with colours if they may be written to `stream`."""
    from llm_orc.formats.printable import printable

    colour = has_colour(stream)
    return "".join(
        f"\x1b[{_CODES[part.name]}m{printable(part.text)}\x1b[0m"
        if colour and isinstance(part, Styled)
        else printable(str(part))
        for part in parts
    )
