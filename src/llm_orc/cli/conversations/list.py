"""`llm-orc conversations list`: the conversations, the last changed first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.app.conversations.archive import list_conversations
from llm_orc.cli.conversations.values import summary_value
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.formats.figures import dollars, moment

if TYPE_CHECKING:
    from llm_orc.app.conversations.archive import ConversationSummary


@define_command()
@click.option("--ensemble", metavar="NAME", help="Only conversations that this ensemble started, e.g. `panel`.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N.")
@click.option("--all", "show_all", is_flag=True, help="All of them, whatever --limit says.")
@json_option
def command(ensemble: str | None, limit: int, show_all: bool, as_json: bool) -> None:
    """List conversations, the one that changed last first."""
    found = list_conversations(app_here(), limit=None if show_all else limit, ensemble=ensemble)
    if as_json:
        write_json([summary_value(one) for one in found])
    elif found:
        write_data(_table(found))
    else:
        note("There are no conversations yet. Start one with: llm-orc chat")


def _table(found: tuple[ConversationSummary, ...]) -> str:
    heading = [
        Column("NAME", shrinks=True),
        Column("ENSEMBLE", shrinks=True),
        Column("AGENTS", is_number=True),
        Column("TURNS", is_number=True),
        Column("CHANGED", shrinks=True),
        Column("COST", is_number=True),
    ]
    rows = [
        (
            one.name,
            one.ensemble,
            str(len(one.agents)),
            f"{one.turns:,}",
            moment(one.changed_at),
            dollars(one.cost_usd),
        )
        for one in found
    ]
    return table(heading, rows, columns(sys.stdout))
