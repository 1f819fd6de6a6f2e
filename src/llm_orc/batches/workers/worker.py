"""One process that works on a store: launches the durable engine, and stops it so that nothing is lost."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_errors

from llm_orc.batches.batch import AGENT_WORKFLOW, ROW_WORKFLOW, queue_of
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import (
    StoreFailure,
    engine_of,
    in_store,
    make_tables,
    patiently,
    store_error,
    worth_at_start_s,
)
from llm_orc.batches.workers.agents import QueuedAgents
from llm_orc.batches.workers.cleanup import sweep, sweep_once
from llm_orc.batches.workers.closed_engine import engine_serializer
from llm_orc.batches.workers.foreign_work import DAMAGED, keep_foreign_work_out, take_foreign_work
from llm_orc.batches.workers.limits import SharedGate, SharedLimits, keep_limits, limit_queue
from llm_orc.batches.workers.membership import Membership, Pace
from llm_orc.batches.workers.queues import APPLICATION, APPLICATION_VERSION, cancel_all, client_of, close_queue
from llm_orc.batches.workers.row_executor import Calls, RowExecutor
from llm_orc.batches.workers.steps import DurableSteps
from llm_orc.engine.surprises import as_error
from llm_orc.errors import BatchBudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from types import TracebackType

    from llm_orc.batches.store_url import Place
    from llm_orc.engine.execute import Clock
    from llm_orc.errors import StorageError


class Worker:
    """Enter it to begin working, leave it to put back what is unfinished. One at a time in a process.

    `batches` None: all that are open, also later ones; else only these. `limits`, by provider, become those of all
    workers, where the store is one that several share.
    """

    def __init__(
        self,
        place: Place,
        calls: Calls,
        clock: Clock,
        *,
        batches: Sequence[str] | None,
        limits: Mapping[str, SharedLimits] | None = None,
        pace: Pace | None = None,
        waiting: Callable[[StorageError], None] = lambda _error: None,
        told: Callable[[str], None] = lambda _sentence: None,
        steps: type[DurableSteps] = DurableSteps,
        tuned: bool = True,
    ) -> None:
        """`waiting` hears of a server that is out of reach and waited for at the start; `told` of foreign work.

        `steps` and `tuned` are there for the tests that show what they are for.
        """
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.place = place
        self.engine = engine_of(place, tuned=tuned)
        self.batches = BatchStore(self.engine)
        self.client = client_of(self.engine)
        self.gate = SharedGate(self.engine, self.worker_id)
        self._only = batches
        self._limits = (limits or {}) if place.is_shared else {}
        self._queued = QueuedAgents(self.engine, self.client, APPLICATION_VERSION) if place.is_shared else None
        self.carrier = RowExecutor(
            place, self.batches, calls, clock, steps=steps, queued=self._queued, only=batches
        )
        self._pace = pace or Pace()
        self._crew = Membership(self.engine, self.worker_id, place, self._pace)
        self._waiting, self._told = waiting, told
        self._is_launched = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Join, and begin to work. Raises `StoreBusy`, `StorageError`."""
        try:
            await patiently(self._join, worth_at_start_s, lambda e: self._waiting(store_error(self.place, e)))
        except BaseException as e:
            self.engine.dispose()
            if isinstance(e, sa.exc.SQLAlchemyError):
                raise store_error(self.place, e) from None
            raise
        background = [
            self._crew.tend(self.client, self.carrier),
            sweep(self.engine, self.client),
            keep_foreign_work_out(self.engine, self.place, self._told, self._pace.look_s),
        ]
        if self._queued is not None:
            background.append(self._queued.look())
        self._tasks += [asyncio.create_task(self._kept_up(work)) for work in background]
        return self

    async def _kept_up(self, work: Coroutine[object, object, None]) -> None:
        """A worker that no longer says that it lives, or looks for answers, must not go on as if it did."""
        try:
            await work
        except StoreFailure as e:
            self.carrier.stop(store_error(self.place, e))
        except Exception as e:  # noqa: BLE001 - nobody else would hear of it
            self.carrier.stop(as_error(e))

    async def _join(self) -> None:
        """Do all that the start needs of the store; nothing of it is left where it fails."""
        await asyncio.to_thread(make_tables, self.place, self.engine)
        try:
            await asyncio.to_thread(self._crew.join)
            for sentence in await asyncio.to_thread(take_foreign_work, self.engine, self.place, waiting=True):
                self._told(sentence)
            self._launch()
            await asyncio.to_thread(self._crew.take_over_all, self.client)
            await asyncio.to_thread(keep_limits, self.engine, self.client, self._limits)
        except BaseException:
            await asyncio.shield(self._part())
            raise

    async def _part(self) -> None:
        if self._is_launched:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            # The engine has made its own threads the loop's, and taken them along.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
            self._is_launched = False
        with suppress(
            sa.exc.SQLAlchemyError, engine_errors.DBOSException, *DAMAGED
        ):  # then the next worker takes over what is left
            await asyncio.to_thread(self._crew.leave, self.client)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what is under way: cancelled here, and queued again for whoever comes next."""
        self.carrier.stop()
        await asyncio.shield(self._put_back())

    async def _put_back(self) -> None:
        await self.carrier.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(sa.exc.SQLAlchemyError, engine_errors.DBOSException, *DAMAGED):  # then the next one sweeps
            await asyncio.to_thread(sweep_once, self.engine, self.client)
        await self._part()
        self.client.destroy()
        self.engine.dispose()

    def _launch(self) -> None:
        self._is_launched = True
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self.place.url,
                "system_database_engine": self.engine,
                "application_version": APPLICATION_VERSION,
                "executor_id": self.worker_id,
                "serializer": engine_serializer(),
                "log_level": "CRITICAL",  # it logs tracebacks and advertises a service
            }
        )
        carrier = self.carrier

        async def row(batch_id: str, number: int, attempt: int) -> str:
            return await carrier.run_row(batch_id, number, attempt)

        async def agent(row: str, agent: str, prompt: str) -> str:
            return await carrier.run_agent(row, agent, prompt)

        DBOS.workflow(name=ROW_WORKFLOW, max_recovery_attempts=None)(row)
        DBOS.workflow(name=AGENT_WORKFLOW, max_recovery_attempts=None)(agent)
        if self._only is not None:
            DBOS.listen_queues([*map(queue_of, self._only), *map(limit_queue, self._limits)])
        DBOS.launch()

    async def set_spent_aside(self) -> list[tuple[str, LlmOrcError]]:
        """Let go of batches that have spent their budgets; returns them, with what was refused."""
        spent = list(self.carrier.spent.items())
        for batch_id, error in spent:
            if isinstance(error, BatchBudgetExceeded):
                await self._set_aside(batch_id)
            else:  # another process's, which asks again for its agents
                await self.carrier.end(batch_id)
                await in_store(partial(self._crew.refuse, self.client, batch_id))
                self.carrier.spent.pop(batch_id, None)
        return spent

    def notice_spent(self, batch_id: str) -> None:
        """Let go of the batch too where another worker was refused. Blocks."""
        batch = self.batches.batch(batch_id)
        if batch is not None and batch.state == "spent":
            self.carrier.spent.setdefault(batch_id, BatchBudgetExceeded("its budget is spent"))

    async def _set_aside(self, batch_id: str) -> None:
        """Rows wait until somebody submits the batch with more. Agents on queues would stand in others' way."""
        await in_store(partial(self.batches.mark_spent, batch_id))
        await in_store(partial(close_queue, self.client, batch_id))
        await self.carrier.settled(batch_id)
        await self.carrier.end(batch_id)
        await in_store(partial(cancel_all, self.client, f"{batch_id}:", AGENT_WORKFLOW))
        await in_store(partial(self._crew.put_back, self.client, batch_id))
        self.carrier.spent.pop(batch_id, None)
