"""A worker that stops: a call that waits is held back, a call that is out is waited for, and none is made twice."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.app.wiring import SystemClock
from llm_orc.batches.database import in_store
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import WORKERS
from llm_orc.batches.workers.membership import Heartbeats
from llm_orc.batches.workers.queues import open_queue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.stoppable import BeforeSend
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.errors import BatchBudgetExceeded, NotTrusted
from tests.batches.test_recovery import ACCESS, held, submit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.errors import LlmOrcError
    from llm_orc.runs.recipe import Recipe

LIMIT_S = 30


class Provider:
    """Each call waits for its turn, then is sent, then is answered; each step when the test allows it."""

    def __init__(self) -> None:
        self.waiting, self.out = asyncio.Event(), asyncio.Event()
        self.may_send, self.may_answer = asyncio.Event(), asyncio.Event()
        self.sent = 0
        self.error: LlmOrcError | None = None

    async def make_caller(self, _id: str, _number: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
        async def call(turn: AgentTurn) -> AgentOutput:
            assert turn.prompt == "task"
            self.waiting.set()
            await self.may_send.wait()
            await before_send()
            self.sent += 1
            self.out.set()
            await self.may_answer.wait()
            if self.error is not None:
                raise self.error
            return AgentOutput("done", (ModelCall("m", ACCESS),))

        return call


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[WorkerStore]:
    with WorkerStore(parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path)) as store:
        async with asyncio.timeout(LIMIT_S):
            yield store


def worker(store: WorkerStore, provider: Provider) -> Worker:
    executor = RowExecutor(store, provider.make_caller, SystemClock(), only=["b1"])
    return Worker(store, executor, heartbeats=Heartbeats(interval_s=0.05, check_s=0.2))


async def start(worker: Worker) -> None:
    await submit(worker.store)
    await in_store(partial(open_queue, worker.store.client, "b1", 1))


async def state(store: WorkerStore) -> str:
    return (await in_store(partial(store.batches.row, "b1", 1))).state


async def test_a_call_that_waits_for_its_turn_is_held_back(store: WorkerStore) -> None:
    provider = Provider()
    async with worker(store, provider) as stopped:
        await start(stopped)
        await provider.waiting.wait()

        stopped.executor.stop()
        await stopped.executor.settled()
        provider.may_send.set()
        await asyncio.sleep(0.1)

        assert provider.sent == 0
        assert stopped.executor.in_flight.is_settled()
    assert await held(store) == []
    assert await state(store) == "waiting"


async def test_a_call_that_is_out_is_waited_for_and_its_answer_is_stored(store: WorkerStore) -> None:
    provider = Provider()
    provider.may_send.set()
    async with worker(store, provider) as stopped:
        await start(stopped)
        await provider.out.wait()

        stopped.executor.stop()
        settled = asyncio.create_task(stopped.executor.settled())
        await asyncio.sleep(0.1)
        assert not settled.done()
        provider.may_answer.set()
        await settled

    assert await state(store) == "completed"
    assert provider.sent == 1


@pytest.mark.parametrize("error", [NotTrusted("not trusted"), BatchBudgetExceeded("spent")])
async def test_an_error_that_no_other_call_would_escape_stops_the_worker_and_leaves_the_row(
    store: WorkerStore, error: LlmOrcError
) -> None:
    provider = Provider()
    provider.error = error
    provider.may_send.set()
    provider.may_answer.set()
    async with worker(store, provider) as stopped:
        await start(stopped)
        await stopped.executor.stopping.wait()
        await stopped.executor.settled()

    assert stopped.executor.stopped_by is error
    assert await state(store) == "waiting"
    assert provider.sent == 1


async def test_a_worker_of_all_batches_lets_go_of_one_that_is_spent_and_continues(store: WorkerStore) -> None:
    provider = Provider()
    provider.error = BatchBudgetExceeded("spent")
    provider.may_send.set()
    provider.may_answer.set()
    executor = RowExecutor(store, provider.make_caller, SystemClock())
    async with Worker(store, executor) as serving:
        await start(serving)
        while not executor.refused:
            await asyncio.sleep(0.01)

        refused = await serving.set_refused_aside()

        assert refused == [("b1", provider.error)]
        assert not executor.refused
        assert not executor.stopping.is_set()
        assert executor.in_flight.names == set()
        assert await held(store) == []
    batch = await in_store(partial(store.batches.batch, "b1"))
    assert batch is not None
    assert batch.state == "spent"
    assert await state(store) == "waiting"


async def test_an_evicted_worker_cancels_everything_and_stops(store: WorkerStore) -> None:
    provider = Provider()
    provider.may_send.set()
    async with worker(store, provider) as evicted:
        await start(evicted)
        await provider.out.wait()

        with store.engine.begin() as connection:  # as another worker does that took it for dead
            connection.execute(sa.delete(WORKERS))
        await evicted.executor.stopping.wait()
        await evicted.executor.settled()

        assert evicted.executor.is_evicted
        while evicted.executor.in_flight.names:
            await asyncio.sleep(0.01)
    assert await state(store) == "waiting"
    assert provider.sent == 1
