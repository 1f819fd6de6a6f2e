"""`llm-orc list-ensembles`: what can be invoked by name from here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from llm_orc.ensembles.library import Entry, Listing
    from llm_orc.jsontypes import JsonValue

_HEADING = (
    Column("ENSEMBLE"),
    Column("AGENTS", is_number=True),
    Column("FROM", shrinks=True),
    Column("DESCRIPTION", shrinks=True),
)


@define_command()
@click.option("--all", "show_all", is_flag=True, help="Also show those that another of the same name hides.")
@json_option
def command(*, show_all: bool, as_json: bool) -> None:
    """List the ensembles that can be invoked by name: the project's, then yours, then the packaged ones.

    Files that contain no valid ensemble are reported on standard error.
    """
    app = app_here()
    listing = app.library.listing()
    entries = [entry for entry in listing.entries if show_all or entry.shadowed_by is None]
    if as_json:
        write_json([_value(entry) for entry in entries])
    else:
        write_data(table(_HEADING, [_row(entry) for entry in entries], columns(sys.stdout)))
    _remarks(listing)
    if not as_json and all(entry.place == "packaged" for entry in entries):
        note(f"Put your own into .llm-orc/ensembles/ of a project or {app.paths.config / 'ensembles'}")


def _row(entry: Entry) -> tuple[str, ...]:
    place = f"{entry.place} (hidden)" if entry.shadowed_by else entry.place
    return (entry.name, str(entry.agents), place, entry.description)


def _value(entry: Entry) -> JsonValue:
    return {
        "name": entry.name,
        "description": entry.description,
        "agents": entry.agents,
        "place": entry.place,
        "file": str(entry.path),
        "shadowed_by": str(entry.shadowed_by) if entry.shadowed_by else None,
    }


def _remarks(listing: Listing) -> None:
    for problem in listing.broken:
        note(f"warning: {one_line(str(problem))}")
    for notice in listing.notices:
        note(f"warning: {one_line(notice)}")
