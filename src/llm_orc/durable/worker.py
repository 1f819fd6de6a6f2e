"""One process that carries out rows: launches the durable engine, and stops it so that nothing is lost."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, Self

import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from llm_orc.durable.batches import Batches, queue_of, workflow_id
from llm_orc.durable.crew import Crew
from llm_orc.durable.database import open_engine, store_error
from llm_orc.durable.serializer import JsonSerializer
from llm_orc.durable.steps import DurableSteps, RowSink, ask, first_cause
from llm_orc.engine.execute import execute
from llm_orc.engine.plan import make_plan
from llm_orc.errors import AuthError, BatchBudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import TracebackType

    from llm_orc.agents.base import AgentTurn, CallAgent
    from llm_orc.durable.place import Place
    from llm_orc.engine.execute import Clock
    from llm_orc.runs.resume import Recipe

APPLICATION = "llm-orc"
APPLICATION_VERSION = "1"
"""Changed on purpose only: the engine leaves work of another version lying."""

_POLL_S = 0.1
_ROW = "llm-orc-row"


class Calls(Protocol):
    """Makes what asks a batch's agents, with this machine's own credentials."""

    async def __call__(self, batch_id: str, recipe: Recipe) -> CallAgent: ...


class Worker:
    """Enter it to begin working, leave it to put back what is unfinished. One at a time in a process.

    `batches` None: all that are open, also later ones; else only these.
    """

    def __init__(
        self,
        place: Place,
        calls: Calls,
        clock: Clock,
        *,
        batches: Sequence[str] | None,
        steps: type[DurableSteps] = DurableSteps,
        tuned: bool = True,
    ) -> None:
        """`steps` and `tuned` are there for the tests that show what they are for."""
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.place = place
        self.engine = open_engine(place, tuned=tuned)
        self.batches = Batches(self.engine)
        self.stopped_by: LlmOrcError | None = None
        self.stopping = asyncio.Event()
        self._calls, self._clock = calls, clock
        self._only, self._steps = batches, steps
        self._rows: dict[str, asyncio.Task[object]] = {}
        self._asking = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._recipes: dict[str, Recipe] = {}
        self._getting: dict[str, asyncio.Lock] = {}
        self._crew = Crew(self.engine, self.worker_id, place)
        self._tending: asyncio.Task[None] | None = None
        self.client: DBOSClient

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._crew.join)
            self._launch()
            self.client = client_of(self.engine)
            await asyncio.to_thread(self._crew.take_over_all, self.client)
        except sa.exc.SQLAlchemyError as e:
            raise store_error(self.place, e) from None
        self._tending = asyncio.create_task(self._crew.tend(self.client, self._let_go))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what is under way: cancelled here, and queued again for whoever comes next."""
        self.stopping.set()
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        await asyncio.shield(self._put_back())

    def _launch(self) -> None:
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self.place.url,
                "system_database_engine": self.engine,
                "application_version": APPLICATION_VERSION,
                "executor_id": self.worker_id,
                "serializer": JsonSerializer(),
                "log_level": "CRITICAL",  # it logs tracebacks and advertises a service
                "notification_listener_polling_interval_sec": 1.0,
            }
        )
        DBOS.workflow(name=_ROW, max_recovery_attempts=None)(self._workflow())
        if self._only is not None:
            DBOS.listen_queues([queue_of(batch_id) for batch_id in self._only])
        DBOS.launch()

    def _workflow(self) -> Callable[[str, int, int], Coroutine[None, None, str]]:
        async def row(batch_id: str, number: int, attempt: int) -> str:
            return await self._run_row(batch_id, number, attempt)

        return row

    # --- one row ------------------------------------------------------------------------------------------

    async def _run_row(self, batch_id: str, number: int, attempt: int) -> str:
        task = asyncio.current_task()
        assert task is not None
        name = workflow_id(batch_id, number, attempt)
        self._rows[name] = task
        try:
            if self.stopping.is_set():
                await _until_cancelled()
            recipe, call = await self._recipe(batch_id)
            row = await asyncio.to_thread(self.batches.row, batch_id, number)
            if row.state != "waiting":  # it had ended, and the process with it, before the engine knew
                return row.state
            recipe = replace(recipe, task=row.task)
            plan = make_plan(recipe.ensemble)
            sink = RowSink(row.record)

            async def ask_agent(turn: AgentTurn) -> str:
                return await self._ask(call, turn)

            steps = self._steps(plan.names, sink, ask_agent)
            await execute(
                plan,
                recipe.task,
                steps,
                sink,
                run_id=row.row_id,
                clock=self._clock,
                max_concurrent=len(plan.order),
                timeout_s=recipe.timeout_s,
                done=row.run_state.outputs,
                sandbox=recipe.rehearsal,
            )
            now = self._clock.now()
            return await asyncio.to_thread(self.batches.end_row, row, now, sink.record)
        except BaseExceptionGroup as group:
            raise first_cause(group) from group
        finally:
            self._rows.pop(name, None)

    async def _recipe(self, batch_id: str) -> tuple[Recipe, CallAgent]:
        async with self._getting.setdefault(batch_id, asyncio.Lock()):
            if batch_id not in self._recipes:
                self._recipes[batch_id] = await asyncio.to_thread(self.batches.recipe, batch_id)
            recipe = self._recipes[batch_id]
            try:
                return recipe, await self._calls(batch_id, recipe)
            except LlmOrcError as e:
                await self._give_up(e)
                raise

    async def _ask(self, call: CallAgent, turn: AgentTurn) -> str:
        if self.stopping.is_set():
            await _until_cancelled()
        try:
            return await self._counted(call, turn)
        except LlmOrcError as e:
            await self._give_up(e)
            raise

    async def _counted(self, call: CallAgent, turn: AgentTurn) -> str:
        self._asking += 1
        self._idle.clear()
        try:
            return await ask(call, turn, self._clock, _stops_the_worker)
        finally:
            self._asking -= 1
            if not self._asking:
                self._idle.set()

    async def _give_up(self, error: LlmOrcError) -> None:
        """No other call would fare better: stop here, and leave the row as it is for who comes next."""
        self.stop(error)
        await _until_cancelled()

    # --- stopping -----------------------------------------------------------------------------------------

    def stop(self, because: LlmOrcError | None = None) -> None:
        """Begin no call any more; `because` is what the process ends with."""
        if self.stopped_by is None:
            self.stopped_by = because
        self.stopping.set()

    def _let_go(self) -> None:
        """Others took us for dead, and have our rows: what we still do for them is for nothing."""
        for task in self._rows.values():
            task.cancel()

    def queue_again(self, batch_id: str, workflows: Sequence[str]) -> None:
        """Queue rows that were cancelled; what their agents have answered is kept. Blocks."""
        self.client.resume_workflows(list(workflows), queue_name=queue_of(batch_id))

    @property
    def rows_under_way(self) -> int:
        return len(self._rows)

    async def drained(self) -> None:
        """Return when no call is under way."""
        await self._idle.wait()

    async def _put_back(self) -> None:
        tasks = list(self._rows.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # The engine has made its own threads the loop's, and taken them along.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        with suppress(sa.exc.SQLAlchemyError):  # then the next worker takes over what is left
            await asyncio.to_thread(self._crew.leave, self.client)
        self.client.destroy()
        self.engine.dispose()


def client_of(engine: sa.Engine) -> DBOSClient:
    """Return what queues and stops workflows without carrying any out."""
    return DBOSClient(system_database_engine=engine, serializer=JsonSerializer(), application_name=APPLICATION)


def enqueue_row(client: DBOSClient, connection: sa.Connection, batch_id: str, number: int, attempt: int) -> None:
    """Queue a row in a transaction of the caller's."""
    client.enqueue_in_transaction(
        connection,
        {
            "workflow_name": _ROW,
            "queue_name": queue_of(batch_id),
            "workflow_id": workflow_id(batch_id, number, attempt),
            "app_version": APPLICATION_VERSION,
        },
        batch_id,
        number,
        attempt,
    )


def open_queue(client: DBOSClient, batch_id: str, rows_at_once: int) -> None:
    """Let workers take the batch's rows."""
    client.register_queue(
        queue_of(batch_id),
        worker_concurrency=rows_at_once,
        polling_interval_sec=_POLL_S,
        on_conflict="always_update",
    )


def _stops_the_worker(error: LlmOrcError) -> bool:
    return isinstance(error, AuthError | BatchBudgetExceeded)


async def _until_cancelled() -> None:
    await asyncio.get_running_loop().create_future()
