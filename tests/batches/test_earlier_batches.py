"""A batch that an earlier release stored: it is shown, found again by its inputs, and resumed."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.turn import AgentTurn, CallAgent
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import NewRow, batch_id_of
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import in_store, open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.workers.queues import requeue_missing
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.stoppable import BeforeSend
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.runs.recipe import Recipe
from tests.runs.stored import BATCH_ID, restored

ACCESS = Access("openai", "sandbox", Billing.LOCAL, "sandbox: canned answers, no model", "http://127.0.0.1:1")
NAMES = ("analyst", "lawyer", "clerk", "chair")
LIMIT_S = 30


def stored(tmp_path: Path) -> BatchStore:
    store_url = parse_store_url(str(restored("batches", tmp_path / "batches.sqlite")), tmp_path)
    return BatchStore(open_engine(store_url))


def test_its_answers_are_shown(tmp_path: Path) -> None:
    row = stored(tmp_path).row(BATCH_ID, 1)

    assert row.result is not None
    assert {a.name: a.response for a in row.result.agents} == {name: f"{name} on row 1" for name in NAMES}
    assert row.result["analyst"].attempts == 2
    assert row.result.total.calls == 4


def test_the_same_inputs_are_the_same_batch(tmp_path: Path) -> None:
    batches = stored(tmp_path)
    rows = [NewRow(i, i, f"Invest in {i}?", f"row {i}", {"input": f"Invest in {i}?"}) for i in (1, 2, 3)]
    rows.append(NewRow(4, 4, "", "row 4", {}, "the row has no input"))

    assert batch_id_of(batches.recipe(BATCH_ID), rows) == BATCH_ID


async def test_it_is_resumed_and_no_call_is_repeated(tmp_path: Path) -> None:
    called = []

    async def make_caller(_id: str, number: int, _recipe: Recipe, _before_send: BeforeSend) -> CallAgent:
        async def call(turn: AgentTurn) -> AgentOutput:
            called.append((number, turn.agent.name))
            turn.observer.calling("m-1", ACCESS)
            return AgentOutput(f"{turn.agent.name} on row {number}", (ModelCall("m-1", ACCESS),))

        return call

    store_url = parse_store_url(str(restored("batches", tmp_path / "batches.sqlite")), tmp_path)
    with WorkerStore(store_url) as store:
        executor = RowExecutor(store, make_caller, SystemClock(), only=[BATCH_ID])
        async with Worker(store, executor), asyncio.timeout(LIMIT_S):
            await in_store(partial(requeue_missing, store.engine, store.batches, store.client, BATCH_ID))
            while (batch := await in_store(partial(store.batches.batch, BATCH_ID))) and batch.waiting:
                await asyncio.sleep(0.02)
        results = [store.batches.row(BATCH_ID, number).result for number in (1, 2, 3)]

    assert sorted(called) == [(2, "chair"), (3, "chair"), (3, "clerk"), (3, "lawyer")]
    for number, result in enumerate(results, 1):
        assert result is not None
        assert {a.name: a.response for a in result.agents} == {name: f"{name} on row {number}" for name in NAMES}
