"""`llm-orc conversations show`: what was said in a conversation."""

from __future__ import annotations

import click

from llm_orc.app.conversations.archive import get_conversation
from llm_orc.cli.conversations.arguments import agent_option, name_argument
from llm_orc.cli.conversations.values import conversation_document
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option
from llm_orc.cli.shell.output.streams import note, write_data

_SHOWN = 20


@define_command()
@name_argument
@agent_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_SHOWN,
    show_default=True,
    metavar="N",
    help="Only the newest N turns.",
)
@click.option("--all", "show_all", is_flag=True, help="All turns, whatever --limit says.")
@json_option
def command(name: str, agent: str | None, limit: int, show_all: bool, as_json: bool) -> None:
    """Show what was said in a conversation.  [default: the last one]"""
    from llm_orc.formats.conversation import as_text

    record = get_conversation(app_here(), name, agent=agent, newest=None if show_all else limit)
    if as_json:
        write_data(conversation_document(record))
    elif record.turns:
        write_data(as_text(record.summary.name, record.turns, record.earlier))
    else:
        note(f"Nothing has been said in `{record.summary.name}` yet.")
