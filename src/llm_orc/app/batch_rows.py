"""A row of a batch, looked at as a run: `BATCH:ROW`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.app.batches import open_batches
from llm_orc.errors import BatchNotFound

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.durable.batch import BatchRow
    from llm_orc.runs.resume import Recipe


def find_row(app: App, batch: str, number: int) -> tuple[BatchRow, Recipe]:
    """Return the row and its recipe, with its task. Raises `BatchNotFound`, also where the row has not run."""
    with open_batches(app, None) as store:
        if store is None:
            raise BatchNotFound("there is no batch yet", hint="llm-orc batch ENSEMBLE --inputs FILE")
        batch_id = store.batches.find(batch)
        row = store.batches.row(batch_id, number)
        recipe = replace(store.batches.recipe(batch_id), task=row.task)
        if (found := store.batches.batch(batch_id)) is not None:
            limits = found.limits
            recipe = replace(recipe, max_cost_usd=limits.row_max_cost_usd, max_calls=limits.row_max_calls)
    if not row.record:
        why = f": {row.error}" if row.error else ""
        raise BatchNotFound(f"row {number} of batch `{batch_id}` has not run ({row.state}){why}")
    return row, recipe
