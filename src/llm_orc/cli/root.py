"""The root command. `table.py` has the commands, `root_help.py` what `--help` shows of them all."""

from __future__ import annotations

import os

import click

from llm_orc.cli.shell.command_group import CONTEXT, LazyGroup
from llm_orc.cli.table import ABOUT, COMMANDS, DEBUG, DIRECTORY, EXAMPLES, EXIT_CODES, VERSION


def _change_directory(ctx: click.Context, param: click.Parameter, directory: str | None) -> None:
    if directory is not None and not ctx.resilient_parsing:
        os.chdir(directory)


@click.group(
    cls=LazyGroup,
    rows=COMMANDS,
    help=f"{ABOUT}\n\n\b\n{EXAMPLES}",
    invoke_without_command=True,
    epilog=EXIT_CODES,
    context_settings=CONTEXT,
)
@click.version_option(package_name="llm-orc", message="%(prog)s %(version)s", help=VERSION.help)
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False),
    callback=_change_directory,
    expose_value=False,
    is_eager=True,
    help=DIRECTORY.help,
)
@click.option("--debug", is_flag=True, expose_value=False, help=DEBUG.help)
@click.pass_context
def root(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
