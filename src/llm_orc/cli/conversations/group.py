"""`llm-orc conversations`: what was said, kept by name."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("list", "conversations.list", "List conversations, most recently changed first."),
    Row("show", "conversations.show", "Show what was said in a conversation."),
    Row("export", "conversations.export", "Write a whole conversation to a file or to standard output."),
    Row("fork", "conversations.fork", "Copy a conversation, to continue it in another way."),
    Row("delete", "conversations.delete", "Delete conversations and all their turns for good."),
)


@define_group(COMMANDS)
def command() -> None:
    """List, show, export, fork and delete conversations.

    NAME is a conversation's name, or `last` for the most recently changed one. `llm-orc chat` and
    `llm-orc invoke --conversation NAME` start one or continue it.
    """
