"""`llm-orc models`: the models that there is access to."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (Row("list", "models.list", "List the models of each access, with who pays and what they cost."),)


@define_group(COMMANDS)
def command() -> None:
    """See which models the access of this machine offers."""
