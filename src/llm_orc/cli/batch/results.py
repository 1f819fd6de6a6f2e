"""`llm-orc batch results`: the rows that have ended, with their answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from llm_orc.cli.batch.execution.results import Showing, refuse_to_replace_inputs, write_file
from llm_orc.cli.batch.options import batch_argument, row_format_option, store_option
from llm_orc.cli.batch.use_batch import use_batch
from llm_orc.cli.batch.values import failure_lines
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.files import output_place
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.output_options import output_option

if TYPE_CHECKING:
    from llm_orc.app.batches.admin import BatchAdmin


@define_command()
@batch_argument
@click.option("--ordered", is_flag=True, help="Write rows in the order of the input, not as they finished.")
@row_format_option
@output_option
@store_option
def command(*, batch: str, ordered: bool, form: str, output_file: str | None, store: str | None) -> None:
    """Write the finished rows, with their answers; works at any time.  [default: the last batch]"""
    file = output_place(output_file)
    showing = Showing(form, file, ordered=ordered, quiet=False)
    if file is not None:
        app = app_here()
        refuse_to_replace_inputs(app, batch, store, file)
        batch_id = use_batch(store, batch, lambda _batches, batch_id: batch_id)
        write_file(app, store, batch_id, showing)
        return

    def write(batches: BatchAdmin, batch_id: str) -> None:
        from llm_orc.cli.batch.execution.output import row_texts

        rows = batches.rows_in_order(batch_id) if showing.in_order else batches.rows(batch_id)
        for text in row_texts(rows, partial(batches.columns, batch_id), form):
            write_data(text, is_printable=True)
        if form == "text":  # the only form that doesn't say which rows have failed
            for words in failure_lines(batches.batches.failures(batch_id)):
                note(words)

    use_batch(store, batch, write)
