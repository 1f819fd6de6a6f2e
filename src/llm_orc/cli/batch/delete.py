"""`llm-orc batch delete`: delete a batch and its answers for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.batch.options import batch_argument, store_option
from llm_orc.cli.batch.use_batch import use_batch
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import yes_option
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import agreed

if TYPE_CHECKING:
    from llm_orc.app.batches.admin import BatchStatus


@define_command()
@batch_argument
@yes_option
@store_option
def command(*, batch: str, yes: bool, store: str | None) -> None:
    """Delete a batch and its answers for good.  [default: the last one]"""
    status: BatchStatus = use_batch(store, batch, lambda batches, batch_id: batches.status(batch_id))
    found = status.batch
    if not agreed(f"Delete batch {found.batch_id} ({found.ensemble}, {found.total:,} rows)?", yes=yes):
        return
    use_batch(store, found.batch_id, lambda batches, batch_id: batches.delete(batch_id))
    note(f"Deleted batch {found.batch_id}.")
