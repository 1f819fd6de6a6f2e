"""Names of commands, completed from the tables of their groups."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from llm_orc.cli.shell.command_group import LazyGroup


class CommandName(click.ParamType[str]):
    """A command, or the command of the group that is named before it."""

    name = "command"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        group: click.Command | None = ctx.find_root().command
        for word in ctx.params.get(param.name or "") or ():
            group = group.get_command(ctx, word) if isinstance(group, LazyGroup) else None
        if not isinstance(group, LazyGroup):
            return []
        rows = (row for row in group.rows.values() if row.name.startswith(incomplete))
        return [CompletionItem(row.name, help=row.summary) for row in rows]
