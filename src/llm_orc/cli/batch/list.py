"""`llm-orc batch list`: the batches, the newest first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_orc.cli.batch.options import store_option
from llm_orc.cli.batch.values import batch_value, state_words
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.formats.figures import moment

if TYPE_CHECKING:
    from llm_orc.batches.batch import Batch


@define_command()
@json_option
@store_option
def command(*, as_json: bool, store: str | None) -> None:
    """List batches, the newest first."""
    from llm_orc.app.batches.admin import open_batches

    with open_batches(app_here(), store) as batches:
        found = batches.batches.batches() if batches else []
    if as_json:
        write_json([batch_value(batch) for batch in found])
    elif found:
        write_data(_batches_table(found))
    else:
        note("There are no batches yet. Start one with: llm-orc batch ENSEMBLE --inputs FILE")


def _batches_table(found: list[Batch]) -> str:
    heading = [
        Column("BATCH"),
        Column("ENSEMBLE", shrinks=True),
        Column("STATE"),
        Column("ROWS", is_number=True),
        Column("FAILED", is_number=True),
        Column("STARTED", shrinks=True),
        Column("INPUTS", shrinks=True),
    ]
    rows = [
        (
            batch.batch_id,
            batch.ensemble,
            state_words(batch),
            f"{batch.total - batch.waiting}/{batch.total}",
            str(batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)),
            moment(batch.created_at),
            batch.inputs,
        )
        for batch in found
    ]
    return table(heading, rows, columns(sys.stdout))
