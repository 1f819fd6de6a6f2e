"""Tables of commands: a group knows each command's name and summary, and imports it only when it is called."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.program import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from click.shell_completion import CompletionItem

    from llm_orc.cli.shell.usage import UsageMistake
    from llm_orc.cli.table import Row

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@contextmanager
def names_its_command(ctx: click.Context) -> Iterator[None]:
    """Tell a usage error of click's parser which command it is about; the parser itself doesn't always know."""
    try:
        yield
    except click.UsageError as e:
        e.ctx = e.ctx or ctx
        raise


def ask_nothing_if_given(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        from llm_orc.cli.shell.prompts import ask_nothing

        ask_nothing()


def _everywhere() -> list[click.Parameter]:
    """Return the options of the program that are understood behind a command too."""
    no_input = click.Option(
        ["--no-input"], is_flag=True, expose_value=False, is_eager=True, callback=ask_nothing_if_given, hidden=True
    )
    return [no_input, click.Option(["--debug"], is_flag=True, expose_value=False, hidden=True)]


class PlainCommand(click.Command):
    """A command whose usage errors always name it. It takes `--no-input` and `--debug`, as the program does."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_everywhere()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with names_its_command(ctx):
            return super().parse_args(ctx, args)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called or their help is requested."""

    def __init__(self, *args: object, rows: Iterable[Row] = (), **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.rows = {row.name: row for row in rows}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with names_its_command(ctx):
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self.rows.get(cmd_name)
        if row is None:
            return None
        command: click.Command = import_module(f"llm_orc.cli.{row.module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.rows and not args[0].startswith("-"):
            raise self.unknown_command(ctx, *args)
        return super().resolve_command(ctx, args)

    def unknown_command(self, ctx: click.Context, name: str, *following: str) -> UsageMistake:
        """Return the error for a name that is not in the table, and what was typed behind it.

        Its hint is the command that does what other programs call so, or the nearest one in the table.
        """
        from llm_orc.cli.shell.usage import UsageMistake

        path = _words_of(ctx)
        return UsageMistake(
            f"there is no command `{' '.join([*path, name])}`",
            hint=self.instead(ctx, name, *following),
            context=ctx,
        )

    def instead(self, ctx: click.Context, name: str, *following: str) -> str | None:
        """Return the question whether another command was meant, or None."""
        from llm_orc.cli.shell.other_words import command_for
        from llm_orc.storage.suggest import closest_names

        if found := command_for(_words_of(ctx), [name, *following]):
            return f"Did you mean `{PROGRAM} {found}`?"
        near = closest_names(name, self.rows, limit=1)
        return f"Did you mean `{near[0]}`?" if near else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        items = [
            CompletionItem(row.name, help=row.summary)
            for row in self.rows.values()
            if row.name.startswith(incomplete)
        ]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self.rows))
        for section in dict.fromkeys(row.section for row in self.rows.values()):
            rows = [(row.name.ljust(longest), row.summary) for row in self.rows.values() if row.section == section]
            with formatter.section(section):
                formatter.write_dl(rows, col_spacing=3)


def _words_of(ctx: click.Context) -> list[str]:
    """Return the words of a command line that lead to this group, without the program's own name."""
    return ctx.command_path.split()[1:]


def define_command(
    exit_codes: Mapping[int, str] | None = None, cls: type[click.Command] = PlainCommand
) -> Callable[[Callable[..., object]], click.Command]:
    """Return click's decorator for a command of a table.

    `exit_codes` has the meanings that differ from those in the help of `llm-orc` itself.
    """
    return click.command(cls=cls, context_settings=CONTEXT, epilog=exit_codes_help(exit_codes or {}))


def define_group(
    rows: Iterable[Row], cls: type[LazyGroup] = LazyGroup
) -> Callable[[Callable[..., object]], click.Group]:
    """Return click's decorator for a group of the commands in `rows`."""
    return click.group(cls=cls, rows=rows, context_settings=CONTEXT)


def exit_codes_help(exit_codes: Mapping[int, str]) -> str | None:
    """Return the last paragraph of a command's help, None where it has no exit codes of its own."""
    if not exit_codes:
        return None
    lines = [f"  {code:>3}  {meaning}" for code, meaning in exit_codes.items()]
    return "\n".join(["\b", "Exit codes (all others: `llm-orc --help`):", *lines])
