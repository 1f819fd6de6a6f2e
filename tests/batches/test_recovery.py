"""The rows of a worker that left or died are recovered by the next one, each by one only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn, CallAgent
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.database import in_store
from llm_orc.batches.store_url import StoreUrl, parse_store_url
from llm_orc.batches.tables import ENGINE_WORKFLOWS, WORKERS, engine_connection
from llm_orc.batches.workers.membership import Heartbeats
from llm_orc.batches.workers.queues import enqueue_row, open_queue, requeue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.stoppable import BeforeSend
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe

RECIPE = Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (ModelChoice("p", "m", "ensemble"),)})
ACCESS = Access("p", "none", Billing.LOCAL, "none", "http://127.0.0.1")
LIMIT_S = 30


class Provider:
    """Gives no answer before `may_answer` is set."""

    def __init__(self) -> None:
        self.prompts = asyncio.Queue[str]()
        self.may_answer = asyncio.Event()

    async def make_caller(self, _id: str, _number: int, _recipe: Recipe, _before_send: BeforeSend) -> CallAgent:
        return self.answer

    async def answer(self, turn: AgentTurn) -> AgentOutput:
        await self.prompts.put(turn.prompt)
        await self.may_answer.wait()
        return AgentOutput("done", (ModelCall("m", ACCESS),))


@asynccontextmanager
async def worker(store_url: StoreUrl, provider: Provider) -> AsyncIterator[Worker]:
    with WorkerStore(store_url) as store:
        executor = RowExecutor(store, provider.make_caller, SystemClock(), only=["b1"])
        async with Worker(store, executor, heartbeats=Heartbeats(interval_s=0.05, check_s=0.2)) as worker:
            yield worker


async def submit(store: WorkerStore) -> None:
    """Store a batch of one row; no worker takes it before its queue is opened."""
    batch, rows = NewBatch("b1", RECIPE, "", 0.0, 1), [NewRow(1, 1, "task")]
    await in_store(partial(store.batches.submit, batch, rows, partial(enqueue_row, store.client), 0.0))


async def held(store: WorkerStore) -> list[tuple[str, str | None]]:
    """Return the workflows in progress, and the worker of each."""
    found = await in_store(partial(store.client.list_workflows, status="PENDING"))
    return [(one.workflow_id, one.executor_id) for one in found]


@pytest.mark.slow
async def test_a_late_recovery_leaves_a_row_with_the_worker_that_has_started_it(
    tmp_path: Path,
) -> None:
    """Two workers recover at once, or one is held up: what it has listed is out of date."""
    store_url, provider = parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path), Provider()
    async with asyncio.timeout(LIMIT_S):
        async with worker(store_url, provider) as first:
            await submit(first.store)
            await in_store(partial(open_queue, first.store.client, "b1", 1))
            await provider.prompts.get()
            seen = await in_store(partial(first.store.client.list_workflows, status="PENDING"))
        async with worker(store_url, provider) as second:
            await provider.prompts.get()

            await in_store(partial(requeue, second.store.engine, seen))

            still_held = await held(second.store)
            provider.may_answer.set()
            while not (ends := await in_store(partial(second.store.batches.ends, "b1"))):
                await asyncio.sleep(0.01)

    assert [(one.workflow_id, one.executor_id) for one in seen] == [("b1:1:1", first.store.worker_id)]
    assert still_held == [("b1:1:1", second.store.worker_id)]
    assert [end.state for end in ends] == ["completed"]
    assert provider.prompts.empty()


async def test_a_row_that_a_worker_holds_without_knowing_is_carried_out(tmp_path: Path) -> None:
    """The server stored which worker takes the row, and stopped before it could answer."""
    store_url, provider = parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path), Provider()
    provider.may_answer.set()
    async with asyncio.timeout(LIMIT_S), worker(store_url, provider) as only:
        await submit(only.store)
        with engine_connection(only.store.engine) as connection, connection.begin():
            claimed = {"status": "PENDING", "executor_id": only.store.worker_id}
            connection.execute(sa.update(ENGINE_WORKFLOWS).values(**claimed))
        before = await held(only.store)

        await in_store(partial(open_queue, only.store.client, "b1", 1))

        while not (ends := await in_store(partial(only.store.batches.ends, "b1"))):
            await asyncio.sleep(0.01)

    assert before == [("b1:1:1", only.store.worker_id)]
    assert [end.state for end in ends] == ["completed"]


async def test_a_worker_that_can_send_no_heartbeat_stops_and_says_why(tmp_path: Path) -> None:
    store_url, provider = parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path), Provider()
    async with asyncio.timeout(LIMIT_S), worker(store_url, provider) as only:
        with only.store.engine.begin() as connection:
            WORKERS.drop(connection)

        await only.executor.stopping.wait()

    assert "no such table" in str(only.executor.stopped_by)
