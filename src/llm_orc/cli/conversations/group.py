"""`llm-orc conversations`: list, show, export, fork and delete what was said."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import ConversationName
from llm_orc.cli.shell.options import CONTEXT, app_here, json_option, output_option, write_json
from llm_orc.cli.shell.prompts import agreed
from llm_orc.cli.shell.streams import columns, note, write_data
from llm_orc.cli.shell.tables import Column, table
from llm_orc.cli.table import EXIT_CODES
from llm_orc.formats.figures import count, dollars, moment

if TYPE_CHECKING:
    from llm_orc.app.conversations.archive import ConversationRecord, ConversationSummary
    from llm_orc.jsontypes import JsonValue

_SHOWN = 20

_name_argument = click.argument("name", default="last", type=ConversationName())
_agent_option = click.option("--agent", metavar="AGENT", help="Only what this agent was asked and answered.")


@click.group(
    context_settings=CONTEXT, epilog=EXIT_CODES, short_help="List, show, export, fork and delete conversations."
)
def command() -> None:
    """List, show, export, fork and delete conversations.

    NAME is a conversation's name, or `last` for the one that changed last. `llm-orc chat` and
    `llm-orc invoke --conversation NAME` begin one and go on with it.
    """


@command.command("list", context_settings=CONTEXT)
@click.option("--ensemble", metavar="NAME", help="Only conversations that this ensemble began, e.g. `panel`.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N.")
@click.option("--all", "show_all", is_flag=True, help="All of them, whatever --limit says.")
@json_option
def list_command(ensemble: str | None, limit: int, show_all: bool, as_json: bool) -> None:
    """List conversations, the one that changed last first."""
    from llm_orc.app.conversations.archive import list_conversations

    found = list_conversations(app_here(), limit=None if show_all else limit, ensemble=ensemble)
    if as_json:
        write_json([_summary_value(one) for one in found])
    elif found:
        write_data(_table(found))
    else:
        note("There are no conversations yet. Begin one with: llm-orc chat")


@command.command("show", context_settings=CONTEXT)
@_name_argument
@_agent_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_SHOWN,
    show_default=True,
    metavar="N",
    help="Only the newest N turns of both sides.",
)
@click.option("--all", "show_all", is_flag=True, help="All turns, whatever --limit says.")
@json_option
def show_command(name: str, agent: str | None, limit: int, show_all: bool, as_json: bool) -> None:
    """Show what was said in a conversation.  [default: the last one]"""
    from llm_orc.app.conversations.archive import get_conversation
    from llm_orc.formats.conversation import as_text

    record = get_conversation(app_here(), name, agent=agent, newest=None if show_all else limit)
    if as_json:
        write_data(_json(record))
    elif record.turns:
        write_data(as_text(record.summary.name, record.turns, record.earlier))
    else:
        note(f"Nothing has been said in `{record.summary.name}` yet.")


@command.command("export", context_settings=CONTEXT)
@_name_argument
@_agent_option
@click.option(
    "--output-format",
    "format_name",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="How to write it.",
)
@output_option
def export_command(name: str, agent: str | None, format_name: str, output_file: str | None) -> None:
    """Write a whole conversation to a file or to standard output.  [default: the last one]"""
    from llm_orc.app.conversations.archive import get_conversation
    from llm_orc.formats.conversation import as_markdown
    from llm_orc.storage.atomic import write_where_named

    record = get_conversation(app_here(), name, agent=agent)
    text = _json(record) if format_name == "json" else as_markdown(record.summary.name, record.turns)
    if output_file is None:
        write_data(text)
    else:
        write_where_named(Path(output_file).absolute(), text.encode("utf-8", "backslashreplace"))
        note(f"Written to {output_file}")


@command.command("fork", context_settings=CONTEXT)
@click.argument("name", type=ConversationName())
@click.argument("new_name")
@json_option
def fork_command(name: str, new_name: str, as_json: bool) -> None:
    """Copy the conversation NAME to NEW_NAME, to go on in another way; the first stays as it is."""
    from llm_orc.app.conversations.archive import fork_conversation

    forked = fork_conversation(app_here(), name, new_name)
    if as_json:
        write_json(_summary_value(forked))
    else:
        note(f"`{forked.name}` has the {forked.turns} turns of `{forked.forked_from}`.")
        note(f"Go on with: llm-orc chat --conversation {quote(forked.name)}")


@command.command("delete", context_settings=CONTEXT)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=ConversationName())
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
def delete_command(names: tuple[str, ...], yes: bool) -> None:
    """Delete conversations with all that was said, for good."""
    from llm_orc.app.conversations.archive import delete_conversations, get_conversation

    app = app_here()
    found = [get_conversation(app, name, newest=1).summary for name in names]
    listed = ", ".join(f"{one.name} ({count(one.turns, 'turn')})" for one in found)
    if agreed(f"Delete {listed}?", yes=yes):
        note(f"Deleted {count(len(delete_conversations(app, [one.name for one in found])), 'conversation')}.")


def _json(record: ConversationRecord) -> str:
    from llm_orc.formats.conversation import as_json

    return as_json({**_summary_value(record.summary), "earlier_turns": record.earlier}, record.turns)


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


def _summary_value(one: ConversationSummary) -> dict[str, JsonValue]:
    return {
        "name": one.name,
        "ensemble": one.ensemble,
        "agents": list(one.agents),
        "turn_count": one.turns,
        "created_at": moment(one.created_at),
        "changed_at": moment(one.changed_at),
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost_usd": one.cost_usd,
        "forked_from": one.forked_from,
    }
