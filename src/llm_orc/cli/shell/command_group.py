"""A table of commands, and the group that imports a command only when it is called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_CODES = """\b
Exit codes:
  0  every agent completed         4  access: log in, or allow it
  1  agents failed                 5  the provider
  2  wrong usage or input        130  stopped by Ctrl-C
  3  an ensemble or settings     143  stopped by SIGTERM (SIGHUP: 129)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One command: `summary` stands in the list, so that listing needs no import."""

    name: str
    module: str  # within llm_orc.cli; the command is its attribute `command`
    summary: str
    section: str


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
