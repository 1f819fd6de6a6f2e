"""Which batches are old enough to be deleted: those that are done, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.batches import open_batches
from llm_orc.app.stores import batch_place
from llm_orc.durable.batch import NewBatch, NewRow
from llm_orc.durable.database import open_engine
from tests.durable.intruder import RECIPE

if TYPE_CHECKING:
    from tests.app.conftest import Workspace


def test_a_batch_that_one_can_go_on_with_is_not_pruned(workspace: Workspace) -> None:
    app = workspace.app()
    open_engine(batch_place(app, None)).dispose()
    with open_batches(app, None) as store:
        assert store is not None
        for name, error in (("waits", None), ("cancelled", None), ("spent", None), ("done", "not an input")):
            rows = [NewRow(1, 1, "" if error else "task", error=error)]
            store.batches.submit(NewBatch(name, RECIPE, "", 0.0, 1), rows, lambda *_: None, 0.0)
        store.batches.cancel("cancelled", 1.0)
        store.batches.mark_spent("spent")

        old = store.ended_before(1e12)

    assert old == ["done"]
