"""`llm-orc conversations fork`: copy a conversation, to continue it in another way."""

from __future__ import annotations

from shlex import quote

import click

from llm_orc.app.conversations.archive import fork_conversation
from llm_orc.cli.conversations.values import summary_value
from llm_orc.cli.shell.arguments import ConversationName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import note


@define_command()
@click.argument("name", type=ConversationName())
@click.argument("new_name")
@json_option
def command(name: str, new_name: str, as_json: bool) -> None:
    """Copy the conversation NAME to NEW_NAME, to continue it differently. NAME stays as it is."""
    forked = fork_conversation(app_here(), name, new_name)
    if as_json:
        write_json(summary_value(forked))
    else:
        note(f"`{forked.name}` has the {forked.turns} turns of `{forked.forked_from}`.")
        note(f"Continue with: llm-orc chat --conversation {quote(forked.name)}")
