"""An intruder who can write to a store of batches, and a worker that meets what the intruder wrote."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn, CallAgent
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import BatchRow, NewBatch, NewRow
from llm_orc.batches.database import engine_of, in_store
from llm_orc.batches.store_url import StoreUrl
from llm_orc.batches.workers.membership import Heartbeats
from llm_orc.batches.workers.queues import enqueue_row, open_queue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.stoppable import BeforeSend
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

RECIPE = Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (ModelChoice("p", "m", "ensemble"),)})
ACCESS = Access("p", "none", Billing.LOCAL, "none", "http://127.0.0.1")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return (open, (str(self._path), "w"))


class Mark:
    """A file that exists once the code of a row has run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_there(self) -> bool:
        return self.path.exists()


@asynccontextmanager
async def working_on(store_url: StoreUrl, notes: list[str]) -> AsyncIterator[Worker]:
    async def make_caller(_id: str, _number: int, _recipe: Recipe, _before_send: BeforeSend) -> CallAgent:
        async def answer(turn: AgentTurn) -> AgentOutput:
            return AgentOutput(f"answer to {turn.prompt}", (ModelCall("m", ACCESS),))

        return answer

    heartbeats = Heartbeats(interval_s=0.05, check_s=0.2)
    with WorkerStore(store_url) as store:
        executor = RowExecutor(store, make_caller, SystemClock())
        async with Worker(store, executor, heartbeats=heartbeats, on_note=notes.append) as worker:
            yield worker


async def submit(store: WorkerStore, rows: int = 3) -> None:
    """Store a batch; no worker takes its rows before its queue is opened."""
    batch = NewBatch("b1", RECIPE, "", 0.0, rows)
    new = [NewRow(number, number, f"task {number}") for number in range(1, rows + 1)]
    await in_store(partial(store.batches.submit, batch, new, partial(enqueue_row, store.client), 0.0))


async def carry_out(worker: Worker, rows: int = 3) -> dict[int, BatchRow]:
    """Open the queue; return the rows when all have ended."""
    await in_store(partial(open_queue, worker.store.client, "b1", 10))
    while len(await in_store(partial(worker.store.batches.ended_numbers, "b1"))) < rows:
        assert not worker.executor.stopping.is_set(), worker.executor.stopped_by
        await asyncio.sleep(0.05)
    found = await in_store(lambda: list(worker.store.batches.rows("b1", range(1, rows + 1))))
    return {row.number: row for row in found}


class Intruder:
    """Writes to the engine's tables, as anyone with the database password can."""

    def __init__(self, store_url: StoreUrl) -> None:
        self._store_url = store_url

    def __call__(self, statement: str, **values: object) -> None:
        engine = engine_of(self._store_url)
        try:
            with engine.begin() as connection:
                schema = "" if self._store_url.path is not None else "dbos."
                connection.execute(sa.text(statement.replace("@", schema)), values)
        finally:
            engine.dispose()

    def replace_inputs(self, name: str, form: str, text: str) -> None:
        self(
            "UPDATE @workflow_status SET serialization = :f, inputs = :t WHERE workflow_uuid = :n",
            f=form,
            t=text,
            n=name,
        )
        self("UPDATE @workflow_input SET inputs = :t WHERE workflow_uuid = :n", t=text, n=name)


async def prepared(store: StoreUrl, rows: int = 3) -> None:
    async with working_on(store, []) as first:
        await submit(first.store, rows)
