"""The root command. `table.py` has the commands, `root_help.py` what `--help` shows of them all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from llm_orc.cli.root_help import closing_lines
from llm_orc.cli.shell.command_group import CONTEXT, LazyGroup, ask_nothing_if_given
from llm_orc.cli.shell.other_words import command_for
from llm_orc.cli.shell.program import PROGRAM
from llm_orc.cli.table import ABOUT, COMMANDS, DEBUG, DIRECTORY, EXAMPLES, NO_INPUT, VERSION

if TYPE_CHECKING:
    from llm_orc.cli.shell.usage import UsageMistake

_UPGRADING = {"update", "upgrade", "self", "self-update"}  # what other programs call it; it is left to installers


def _change_directory(ctx: click.Context, param: click.Parameter, directory: str | None) -> None:
    if directory is None:
        return
    if not ctx.resilient_parsing:
        os.chdir(directory)
        return
    with suppress(OSError, RuntimeError):  # completion: the shell has not replaced `~` yet
        os.chdir(Path(directory).expanduser())


def _print_version(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        from llm_orc._version import VERSION as NUMBER

        click.echo(f"{PROGRAM} {NUMBER}")
        ctx.exit()


class _Root(LazyGroup):
    """A question in place of a command is asked: no command has a space in its name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        start = self._own(args)
        if self._asks(ctx, args[start:]):
            args = [*args[:start], "ask", *args[start:]]
        return super().parse_args(ctx, args)

    def _own(self, args: list[str]) -> int:
        """Return how many arguments at the beginning are options of the program itself."""
        start = 0
        while length := _length_of_option(args[start:], self):
            start += length
        return start

    def _asks(self, ctx: click.Context, args: list[str]) -> bool:
        """Whether a question follows options of `ask`, as in `llm-orc -m ollama "Why?"`, and no command."""
        if not args or not args[0].startswith("-") or not any(map(is_question, args)):
            return False
        ask = self.get_command(ctx, "ask")
        if ask is None:
            return False
        start = 0
        while length := _length_of_option(args[start:], ask):
            start += length
        return start > 0 and (start >= len(args) or args[start] not in self.rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and is_question(args[0]):
            self._refuse_quoted(ctx, args[0])
            args = ["ask", *args]
        return super().resolve_command(ctx, args)

    def _refuse_quoted(self, ctx: click.Context, argument: str) -> None:
        """Raise `UsageMistake` for `"runs list"`: a command that a shell has passed on as one word."""
        first, second, *_ = argument.split()
        group = self.get_command(ctx, first)
        if isinstance(group, LazyGroup) and second in group.rows:
            from llm_orc.cli.shell.usage import UsageMistake

            raise UsageMistake(
                "the command is in quotes, as one word",
                hint=f"Without quotes: `{PROGRAM} {argument}`. To ask a model: `{PROGRAM} ask {quote(argument)}`.",
            )

    def unknown_command(self, ctx: click.Context, name: str, *following: str) -> UsageMistake:
        mistake = super().unknown_command(ctx, name, *following)
        if name in _UPGRADING:
            from llm_orc.errors.installing import upgrading

            mistake.hint = upgrading()
        elif command_for((), (name, *following)) is None:
            near = self.instead(ctx, name)
            ask = f"To ask a model: `{PROGRAM} ask {quote(name)}`."
            mistake.hint = f"{near} {ask}" if near else ask
        return mistake


def _length_of_option(args: list[str], command: click.Command) -> int:
    """Return how many arguments the first is together with its value; 0: it is no option of the command.

    Its value may be the next one, or part of it: `-C tmp`, `-Ctmp`, `--directory=tmp`; flags may share a dash.
    """
    flags = {
        name: option.is_flag or option.count
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }
    first = args[0] if args else ""
    if first.startswith("--"):
        name, _, _ = first.partition("=")
        return 0 if name not in flags else 1 if flags[name] or "=" in first else 2
    for i, letter in enumerate(first[1:], 2) if first.startswith("-") else ():
        if f"-{letter}" not in flags:
            return 0
        if not flags[f"-{letter}"]:
            return 2 if i == len(first) else 1
    return 1 if first.startswith("-") and len(first) > 1 else 0


def is_question(argument: str) -> bool:
    """Whether an argument in place of a command is a question: several words, and no option."""
    return len(argument.split()) > 1 and not argument.startswith("-")


@click.group(
    cls=_Root,
    rows=COMMANDS,
    help=f"{ABOUT}\n\n\b\n{EXAMPLES}",
    invoke_without_command=True,
    epilog="\n\n".join(f"\b\n{part}" for part in "\n".join(closing_lines()).split("\n\n")),
    context_settings=CONTEXT,
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    callback=_print_version,
    expose_value=False,
    is_eager=True,
    help=VERSION.help,
)
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False),
    callback=_change_directory,
    expose_value=False,
    is_eager=True,
    help=DIRECTORY.help,
)
@click.option(
    "--no-input",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=ask_nothing_if_given,
    help=NO_INPUT.help,
)
@click.option("--debug", is_flag=True, expose_value=False, help=DEBUG.help)
@click.pass_context
def root(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
