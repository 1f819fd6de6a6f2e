"""`llm-orc config`: the settings, and where they are written."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("show", "config.show", "Show the settings that count here, and where each is set."),
    Row("path", "config.path", "Print where your own config.yaml is, or would be."),
)


@define_group(COMMANDS)
def command() -> None:
    """Show each setting, and the file and line that it comes from."""
