"""A row of a batch as a run: `BATCH:ROW`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.batches.admin import no_batch_yet, open_batches
from llm_orc.app.batches.prompts import recipe_of_row
from llm_orc.errors import BatchNotFound

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.batches.batch import BatchRow
    from llm_orc.runs.recipe import Recipe


def find_row(app: App, batch: str, number: int, store: str | None) -> tuple[BatchRow, Recipe]:
    """Return the row and its recipe, with its task. Raises `BatchNotFound`, also if the row has not run."""
    with open_batches(app, store) as opened:
        if opened is None:
            raise no_batch_yet()
        batch_id = opened.batches.find(batch)
        row = opened.batches.row(batch_id, number)
        recipe = recipe_of_row(opened.batches.recipe(batch_id), row.task, row.fields)
        if (found := opened.batches.batch(batch_id)) is not None:
            recipe = recipe.with_ceilings(found.limits.of_row)
    if not row.record:
        why = f": {row.error}" if row.error else ""
        raise BatchNotFound(f"row {number} of batch `{batch_id}` has not run ({row.state}){why}")
    return row, recipe


def contents_of_row(app: App, run_id: str, recipe: Recipe, store: str | None) -> dict[str, bytes]:
    """Return the contents of the row's files, by SHA-256."""
    if not recipe.all_files:
        return {}
    with open_batches(app, store) as opened:
        return {} if opened is None else opened.contents(run_id.partition(":")[0], recipe.all_files)
