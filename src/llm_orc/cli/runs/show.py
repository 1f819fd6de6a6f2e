"""`llm-orc runs show`: the answers of a run, and how it ended."""

from __future__ import annotations

import time

import click

from llm_orc.app.history.runs import get_run
from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.runs.arguments import run_argument
from llm_orc.cli.runs.record_text import record_text
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.formats.figures import until_words
from llm_orc.formats.table import FORMAT_NAMES


@define_command()
@run_argument
@click.option(
    "--output-format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    default="text",
    show_default=True,
    help="How to write it.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as `--output-format json`.")
@store_of_row_option
def command(run: str, format_name: str, as_json: bool, store: str | None) -> None:
    """Show a run again: its answers, what they took and how it ended.  [default: the last run]"""
    record = get_run(app_here(), run, store)
    write_data(record_text(record, "json" if as_json else format_name))
    summary = record.summary
    until, now = summary.waits_until, time.time()
    if until is not None:
        note(f"This run {until_words(until, now)}." if until > now else "The plan that it waited for has reset.")
    if summary.status == "interrupted":
        waits = " --wait-for-plan" if until is not None and until > now else ""
        note(f"This run was interrupted. Resume with: llm-orc resume {summary.run_id}{waits}")
