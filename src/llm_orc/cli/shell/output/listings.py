"""Lists of what is kept: a table, what had no room in it, and what to do where nothing is found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import columns, is_terminal, note, write_data
from llm_orc.cli.shell.output.tables import fitted
from llm_orc.formats.figures import local_minute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.cli.shell.output.tables import Column


def write_table(heading: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write the table to stdout, and to a terminal also which columns had no room."""
    shown = fitted(heading, rows, columns(sys.stdout))
    write_data(shown.text)
    if shown.left_out:
        note(f"No room for {', '.join(shown.left_out)}: widen the terminal, or use --json.")


def for_terminal() -> bool:
    """Is the table read by a person? Programs get times and words whole."""
    return is_terminal(sys.stdout)


def note_more(shown: int, kept: int) -> None:
    """Tell a person that there are more than were shown."""
    if kept > shown and for_terminal():
        note(f"The newest {shown:,} of {kept:,}; see all with --all.")


def conditions(ensemble: str | None, statuses: Sequence[str], since: float | None) -> list[str]:
    """Return the filters of a list in words."""
    found = [] if ensemble is None else [f"ensemble `{ensemble}`"]
    if statuses:
        found.append(f"status {' or '.join(f'`{status}`' for status in statuses)}")
    if since is not None:
        found.append(f"since {local_minute(since)}")
    return found


def note_none_found(noun: str, filters: Sequence[str], kept: int, command: str) -> None:
    """Say that no `noun` passes the filters, and how to see the others."""
    note(f"No {noun} matches: {', '.join(filters)}.")
    if kept:
        note(f"Without these filters there {'is 1' if kept == 1 else f'are {kept:,}'}: {command}")
