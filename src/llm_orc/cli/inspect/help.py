"""`llm-orc help`: the help of the program, of a group or of a command."""

from __future__ import annotations

import click

from llm_orc.cli.root_help import root_help
from llm_orc.cli.shell.command_group import LazyGroup, define_command
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.cli.shell.values.commands import CommandName


@define_command()
@click.argument("words", metavar="[COMMAND]...", nargs=-1, type=CommandName())
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of COMMAND, which may be the command of a group.

    \b
    llm-orc help
    llm-orc help check
    llm-orc help auth add
    """
    write_data(_help(context.find_root(), words))


def _help(context: click.Context, words: tuple[str, ...]) -> str:
    if not words:
        return root_help()
    for word in words:
        group = context.command
        if not isinstance(group, LazyGroup):
            raise UsageMistake(
                f"`{context.info_name}` is no group, so it has no command `{word}`", context=context
            )
        found = group.get_command(context, word)
        if found is None:
            raise group.unknown_command(context, word)
        context = click.Context(found, info_name=word, parent=context, **found.context_settings)
    return f"{context.get_help()}\n"
