"""Rows go from a worker that has gone to the next, each to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn, CallAgent
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.database import in_store
from llm_orc.batches.store_url import Place, place_of
from llm_orc.batches.tables import ENGINE_WORKFLOWS, WORKERS, engine_connection
from llm_orc.batches.workers.membership import Pace
from llm_orc.batches.workers.queues import enqueue_row, open_queue, queue_again
from llm_orc.batches.workers.row_executor import BeforeSend, RowExecutor
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe

RECIPE = Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (ModelChoice("p", "m", "ensemble"),)})
ACCESS = Access("p", "none", Billing.LOCAL, "none", "http://127.0.0.1")
LIMIT_S = 30


class Provider:
    """Answers nobody before it may."""

    def __init__(self) -> None:
        self.asked = asyncio.Queue[str]()
        self.may_answer = asyncio.Event()

    async def make_caller(self, _id: str, _number: int, _recipe: Recipe, _before_send: BeforeSend) -> CallAgent:
        return self.answer

    async def answer(self, turn: AgentTurn) -> AgentOutput:
        await self.asked.put(turn.prompt)
        await self.may_answer.wait()
        return AgentOutput("done", (ModelCall("m", ACCESS),))


@asynccontextmanager
async def worker(place: Place, provider: Provider) -> AsyncIterator[Worker]:
    with WorkerStore(place) as store:
        executor = RowExecutor(store, provider.make_caller, SystemClock(), only=["b1"])
        async with Worker(store, executor, pace=Pace(beat_s=0.05, look_s=0.2)) as worker:
            yield worker


async def submit(store: WorkerStore) -> None:
    """Store a batch of one row; no worker takes it before its queue is opened."""
    batch, rows = NewBatch("b1", RECIPE, "", 0.0, 1), [NewRow(1, 1, "task")]
    await in_store(partial(store.batches.submit, batch, rows, partial(enqueue_row, store.client), 0.0))


async def held(store: WorkerStore) -> list[tuple[str, str | None]]:
    """Return what is in flight, and which worker has it."""
    found = await in_store(partial(store.client.list_workflows, status="PENDING"))
    return [(one.workflow_id, one.executor_id) for one in found]


async def test_who_comes_late_to_take_a_row_over_leaves_it_with_the_worker_that_has_begun_it(
    tmp_path: Path,
) -> None:
    """Two looks for dead workers at once, or one that is held up: what it saw is no longer so."""
    place, provider = place_of(str(tmp_path / "batches.sqlite"), tmp_path), Provider()
    async with asyncio.timeout(LIMIT_S):
        async with worker(place, provider) as first:
            await submit(first.store)
            await in_store(partial(open_queue, first.store.client, "b1", 1))
            await provider.asked.get()
            seen = await in_store(partial(first.store.client.list_workflows, status="PENDING"))
        async with worker(place, provider) as second:
            await provider.asked.get()

            await in_store(partial(queue_again, second.store.engine, seen))

            still_held = await held(second.store)
            provider.may_answer.set()
            while not (ends := await in_store(partial(second.store.batches.ends, "b1"))):
                await asyncio.sleep(0.01)

    assert [(one.workflow_id, one.executor_id) for one in seen] == [("b1:1:1", first.store.worker_id)]
    assert still_held == [("b1:1:1", second.store.worker_id)]
    assert [end.state for end in ends] == ["completed"]
    assert provider.asked.empty()


async def test_a_row_that_a_worker_has_and_does_not_know_of_is_carried_out_all_the_same(tmp_path: Path) -> None:
    """The server took the claim and was gone before it could say so."""
    place, provider = place_of(str(tmp_path / "batches.sqlite"), tmp_path), Provider()
    provider.may_answer.set()
    async with asyncio.timeout(LIMIT_S), worker(place, provider) as only:
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


async def test_a_worker_that_can_no_longer_say_that_it_lives_stops_and_says_why(tmp_path: Path) -> None:
    place, provider = place_of(str(tmp_path / "batches.sqlite"), tmp_path), Provider()
    async with asyncio.timeout(LIMIT_S), worker(place, provider) as only:
        with only.store.engine.begin() as connection:
            WORKERS.drop(connection)

        await only.executor.stopping.wait()

    assert "no such table" in str(only.executor.stopped_by)
