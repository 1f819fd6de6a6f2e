"""`llm-orc conversations list`: the conversations, the last changed first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from llm_orc.app.conversations.archive import count_conversations, list_conversations
from llm_orc.cli.conversations.values import summary_value
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.listings import (
    conditions,
    for_terminal,
    note_more,
    note_none_found,
    write_table,
)
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output.tables import Column
from llm_orc.cli.shell.values.moments import since_option
from llm_orc.formats.figures import age, dollars, moment

if TYPE_CHECKING:
    from llm_orc.app.conversations.archive import ConversationSummary

_HEADING = (
    Column("NAME", shrinks=True),
    Column("ENSEMBLE", shrinks=True),
    Column("AGENTS", is_number=True, leaves=1),
    Column("TURNS", is_number=True, leaves=2),
    Column("CHANGED"),
    Column("COST", is_number=True, leaves=3, brief=lambda cost: cost.removeprefix("cost ")),
)


@define_command()
@click.option(
    "--ensemble",
    metavar="NAME",
    type=EnsembleName(),
    help="Only conversations that this ensemble started, e.g. `panel`.",
)
@since_option
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N.")
@click.option("--all", "show_all", is_flag=True, help="All of them, whatever --limit says.")
@json_option
def command(*, ensemble: str | None, since: float | None, limit: int, show_all: bool, as_json: bool) -> None:
    """List conversations, the one that changed last first."""
    app = app_here()
    found = list_conversations(app, limit=None if show_all else limit, ensemble=ensemble, since=since)
    filters = conditions(ensemble, (), since)
    if as_json:
        write_json([summary_value(one) for one in found])
    elif found:
        _write(found)
        if not filters and not show_all:
            note_more(len(found), count_conversations(app))
    elif filters:
        note_none_found("conversation", filters, count_conversations(app), "llm-orc conversations list")
    else:
        note("There are no conversations yet. Start one with: llm-orc chat")


def _write(found: tuple[ConversationSummary, ...]) -> None:
    is_read, now = for_terminal(), time.time()
    rows = [
        (
            one.name,
            one.ensemble,
            str(len(one.agents)),
            f"{one.turns:,}",
            age(one.changed_at, now) if is_read else moment(one.changed_at),
            dollars(one.cost_usd),
        )
        for one in found
    ]
    write_table(_HEADING, rows)
