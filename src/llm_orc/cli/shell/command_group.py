"""A table of commands, and the group that imports a command only when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.cli.table import Row


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called or their own help is asked for."""

    def __init__(self, *args: object, rows: Iterable[Row] = (), **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._rows = {row.name: row for row in rows}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self._rows.get(cmd_name)
        if row is None:
            return None
        command: click.Command = import_module(f"llm_orc.cli.{row.module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._rows and not args[0].startswith("-"):
            from llm_orc.storage.suggest import closest_names

            near = closest_names(args[0], self._rows)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"There is no command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self._rows))
        for section in dict.fromkeys(row.section for row in self._rows.values()):
            rows = [
                (row.name.ljust(longest), row.summary) for row in self._rows.values() if row.section == section
            ]
            with formatter.section(section):
                formatter.write_dl(rows, col_spacing=3)
