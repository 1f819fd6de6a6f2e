"""Arguments that several `conversations` commands share."""

from __future__ import annotations

import click

from llm_orc.cli.shell.arguments import ConversationName

name_argument = click.argument("name", default="last", type=ConversationName())


agent_option = click.option("--agent", metavar="AGENT", help="Only what this agent was asked and answered.")
