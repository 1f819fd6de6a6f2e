"""`llm-orc runs export`: write a run to a file or to standard output."""

from __future__ import annotations

from pathlib import Path

from llm_orc.app.history.runs import get_run
from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.runs.arguments import run_argument
from llm_orc.cli.runs.record_text import record_text
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.format_option import format_option
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.output_options import output_option
from llm_orc.formats.table import FORMAT_NAMES
from llm_orc.storage.atomic import write_where_named


@define_command()
@run_argument
@format_option(FORMAT_NAMES, "json", "`jsonl` is every recorded event.")
@output_option
@store_of_row_option
def command(run: str, format_name: str, output_file: str | None, store: str | None) -> None:
    """Write a run to a file or to standard output.  [default: the last run]"""
    text = record_text(get_run(app_here(), run, store), format_name)
    if output_file is None:
        write_data(text)
    else:
        write_where_named(Path(output_file).absolute(), text.encode("utf-8", "backslashreplace"))
        note(f"Written to {output_file}")
