"""`llm-orc library`: the ensembles that are bundled with the program."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("list", "library.list", "List the bundled ensembles."),
    Row("show", "library.show", "Show a bundled ensemble as it is written."),
)


@define_group(COMMANDS)
def command() -> None:
    """List and show the bundled ensembles: run them as they are, or start your own from one."""
