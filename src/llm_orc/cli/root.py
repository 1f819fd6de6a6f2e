"""The root command and its table: every command by name, with where it is and what it does."""

from __future__ import annotations

import os

import click

from llm_orc.cli.shell.command_group import EXIT_CODES, LazyGroup, Row

COMMANDS: tuple[Row, ...] = (
    Row("demo", "run.demo", "See a panel of agents at work, on the best access there is.", "Run"),
    Row("invoke", "run.invoke", "Run an ensemble on a task.", "Run"),
    Row("chat", "chat.chat", "Talk to an agent or a whole ensemble.", "Run"),
    Row("batch", "batch.group", "Run an ensemble over many inputs.", "Run"),
    Row("worker", "batch.worker", "Work on the batches of a store, with others if it is shared.", "Run"),
    Row("resume", "run.resume", "Go on with a run that was stopped.", "Run"),
    Row("runs", "runs.group", "List, show, compare, fork and delete earlier runs.", "Look"),
    Row("workers", "batch.workers", "Show who works on the batches of a store.", "Look"),
    Row("conversations", "conversations.group", "List, show, export, fork and delete conversations.", "Look"),
    Row("check", "inspect.check", "Check an ensemble and say what it would run. Spends nothing.", "Look"),
    Row("explain", "inspect.explain", "Say which access each agent would use, who pays, and why.", "Look"),
    Row("config", "inspect.config", "Show each setting and the file and line that it comes from.", "Look"),
    Row("list-ensembles", "inspect.list_ensembles", "List the ensembles that can be invoked by name.", "Look"),
    Row("list-profiles", "inspect.list_profiles", "List the model profiles and where each was set.", "Look"),
    Row("status", "inspect.status", "Show access, billing, runs and storage on one screen.", "Look"),
    Row("doctor", "inspect.doctor", "Find what is wrong, each thing with its fix.", "Look"),
    Row("library", "setup.library", "Look at the ensembles that come along.", "Look"),
    Row("setup", "setup.setup", "Find access, try it, make it the default.", "Set up"),
    Row("new", "setup.new", "Begin an ensemble of your own.", "Set up"),
    Row("schema", "setup.schema", "Print a JSON Schema, for editors and programs.", "Set up"),
    Row("auth", "auth.group", "Sign in, add API keys, and see which a run would use.", "Set up"),
    Row("trust", "setup.trust", "Let a project's files choose what costs money, and where calls go.", "Set up"),
    Row("sandbox", "setup.sandbox", "Serve pretend providers on this machine.", "Set up"),
    Row("completion", "setup.completion", "Print the completion script for a shell.", "Set up"),
)


def _change_directory(ctx: click.Context, param: click.Parameter, directory: str | None) -> None:
    if directory is not None and not ctx.resilient_parsing:
        os.chdir(directory)


@click.group(
    cls=LazyGroup,
    rows=COMMANDS,
    invoke_without_command=True,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="llm-orc", message="%(prog)s %(version)s", help="Print the version and exit.")
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False),
    callback=_change_directory,
    expose_value=False,
    is_eager=True,
    help="Work as if started in this directory, e.g. `-C ~/panel`.",
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback with an error.")
@click.pass_context
def root(context: click.Context) -> None:
    """Describe an ensemble of LLM agents in YAML and run it with the access you have.

    \b
    llm-orc demo                                     see it work
    llm-orc invoke panel --input "Worth it?"         run an ensemble
    llm-orc invoke panel --rehearse                  the same, for nothing
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
