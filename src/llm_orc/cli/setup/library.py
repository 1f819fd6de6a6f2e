"""`llm-orc library`: the ensembles that come with the program."""

from __future__ import annotations

import sys

import click

from llm_orc.cli.shell.arguments import TemplateName
from llm_orc.cli.shell.options import CONTEXT, json_option, write_json
from llm_orc.cli.shell.streams import columns, note, write_data
from llm_orc.cli.shell.tables import Column, table
from llm_orc.cli.table import EXIT_CODES


@click.group(context_settings=CONTEXT, epilog=EXIT_CODES, short_help="Look at the ensembles that come along.")
def command() -> None:
    """Look at the ensembles that come with the program: to run as they are, or to begin your own from."""


@command.command("list", context_settings=CONTEXT)
@json_option
def list_command(*, as_json: bool) -> None:
    """List them."""
    from llm_orc.app.projects.new_ensemble import templates

    found = templates()
    if as_json:
        write_json([{"name": t.name, "agents": t.agents, "description": t.description} for t in found])
        return
    heading = [Column("NAME"), Column("AGENTS", is_number=True), Column("DESCRIPTION", shrinks=True)]
    write_data(table(heading, [(t.name, str(t.agents), t.description) for t in found], columns(sys.stdout)))
    note("Begin your own from one: llm-orc new NAME --from TEMPLATE")


@command.command("show", context_settings=CONTEXT)
@click.argument("name", type=TemplateName())
def show_command(*, name: str) -> None:
    """Show one as it is written."""
    from llm_orc.app.projects.new_ensemble import template

    write_data(template(name).text)
