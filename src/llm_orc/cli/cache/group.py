"""`llm-orc cache`: the answers that agents with `cache` are given again."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("show", "cache.show", "Show where the answers are, how many, and their size."),
    Row("clear", "cache.clear", "Delete all answers in the cache."),
)


@define_group(COMMANDS)
def command() -> None:
    """Show or clear the answers that agents with `cache: true` are given again.

    They are in your own cache folder, and those that are not used for long make room for others. A run with
    --no-cache takes none and keeps none; --refresh-cache asks again.
    """
