"""`llm-orc config`: the settings, and where they are written."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("show", "config.show", "Show the settings that count here, and where each is set."),
    Row("get", "config.get", "Print the value of one setting that counts here."),
    Row("set", "config.set", "Change one setting in your config.yaml, or the project's."),
    Row("unset", "config.unset", "Remove one setting from your config.yaml, or the project's."),
    Row("path", "config.path", "Print where your own config.yaml is, or would be."),
)


@define_group(COMMANDS)
def command() -> None:
    """Show and change settings; `show` says which file and line each comes from."""
