"""Unfinished batches: none is pruned, and one whose inputs are not all stored is not resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.app.batches.admin import open_batches
from llm_orc.app.batches.plan import plan_resume
from llm_orc.app.batches.request import ResumeRequest
from llm_orc.app.batches.store import batch_store_url
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.database import open_engine
from llm_orc.errors import InputError
from tests.batches.intruder import RECIPE

if TYPE_CHECKING:
    from tests.app.conftest import Workspace


def test_a_batch_that_can_be_resumed_is_not_pruned(workspace: Workspace) -> None:
    app = workspace.app()
    open_engine(batch_store_url(app, None)).dispose()
    with open_batches(app, None) as store:
        assert store is not None
        for name, error in (("waits", None), ("cancelled", None), ("spent", None), ("done", "not an input")):
            rows = [NewRow(1, 1, "" if error else "task", error=error)]
            store.batches.submit(NewBatch(name, RECIPE, "", 0.0, 1), rows, lambda *_: None, 0.0)
        store.batches.cancel("cancelled", 1.0)
        store.batches.mark_spent("spent")

        old = store.ended_before(1e12)

    assert old == ["done"]


async def test_a_batch_whose_inputs_are_not_all_stored_is_resumed_by_its_own_command(
    workspace: Workspace,
) -> None:
    """`batch resume` has no inputs: it would wait for rows that nobody adds."""
    app = workspace.app()
    open_engine(batch_store_url(app, None)).dispose()
    with open_batches(app, None) as store:
        assert store is not None
        kept = [NewRow(1, 1, "task")]
        store.batches.submit(NewBatch("b1", RECIPE, "in.csv", 0.0, 3), kept, lambda *_: None, 0.0)

    with pytest.raises(InputError, match="1 of 3 are stored") as refused:
        await plan_resume(app, ResumeRequest("b1"), lambda _plan, _rows: None)

    assert "in.csv" in str(refused.value.hint)
