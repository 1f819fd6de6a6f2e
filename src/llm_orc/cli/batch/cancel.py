"""`llm-orc batch cancel`: stop a batch wherever it is worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.batch.options import batch_argument, store_option
from llm_orc.cli.batch.use_batch import use_batch
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note

if TYPE_CHECKING:
    from llm_orc.app.batches.admin import BatchAdmin


@define_command()
@batch_argument
@store_option
def command(*, batch: str, store: str | None) -> None:
    """Stop a batch on all its workers. The same `batch run` resumes it.  [default: the last batch]"""
    app = app_here()

    def cancel(batches: BatchAdmin, batch_id: str) -> tuple[str, int]:
        return batch_id, batches.cancel(batch_id, app.clock.now())

    batch_id, stopped = use_batch(store, batch, cancel)
    note(
        f"Cancelled batch {batch_id}: {stopped:,} rows were not done."
        if stopped
        else f"Batch {batch_id} had already ended."
    )
