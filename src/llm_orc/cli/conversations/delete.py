"""`llm-orc conversations delete`: delete conversations with all that was said."""

from __future__ import annotations

import click

from llm_orc.app.conversations.archive import delete_conversations, get_conversation
from llm_orc.cli.shell.arguments import ConversationName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, yes_option
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import agreed
from llm_orc.formats.figures import count


@define_command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=ConversationName())
@yes_option
def command(names: tuple[str, ...], yes: bool) -> None:
    """Delete conversations with all that was said, for good."""
    app = app_here()
    found = [get_conversation(app, name, newest=1).summary for name in names]
    listed = ", ".join(f"{one.name} ({count(one.turns, 'turn')})" for one in found)
    if agreed(f"Delete {listed}?", yes=yes):
        note(f"Deleted {count(len(delete_conversations(app, [one.name for one in found])), 'conversation')}.")
