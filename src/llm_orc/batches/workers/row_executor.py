"""Execute one row of a batch, or one agent of another worker's row: the bodies of the engine's workflows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec
import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_errors

from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.agents.path import AgentPath
from llm_orc.agents.turn import AgentTurn
from llm_orc.batches.batch import workflow_id
from llm_orc.batches.database import in_store, store_error
from llm_orc.batches.outcome import StepObserver
from llm_orc.batches.row_inputs import inputs_of_row
from llm_orc.batches.workers.agents import AgentWaits, QueuedAgents
from llm_orc.batches.workers.engine.serializer import StoredError, UnreadableValue
from llm_orc.batches.workers.in_flight import InFlight
from llm_orc.batches.workers.membership import Evicted
from llm_orc.batches.workers.plan_waits import PlanWaits
from llm_orc.batches.workers.queues import APPLICATION_VERSION
from llm_orc.batches.workers.recovery import SUSPECT_FROM
from llm_orc.batches.workers.steps import DurableSteps, RowSink, call_agent
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.engine.surprises import as_error, first_cause
from llm_orc.errors import AuthError, BatchBudgetExceeded, LlmOrcError, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import CallAgent
    from llm_orc.batches.batch import BatchRow
    from llm_orc.batches.workers.worker_store import WorkerStore
    from llm_orc.engine.shared import Clock
    from llm_orc.runs.recipe import Recipe


_POLL_S = 0.02
BeforeSend = Callable[[], Awaitable[None]]
"""Await it immediately before each attempt of a call is sent. Once the worker stops, it does not return."""


class CallerFactory(Protocol):
    """Creates the caller of one row's agents, with this machine's credentials."""

    async def __call__(
        self, batch_id: str, number: int, recipe: Recipe, before_send: BeforeSend, /
    ) -> CallAgent: ...


class RowExecutor:
    """Carries out rows and agents until `stop`, from which on it sends no call.

    `stopped_by` says why it stopped, if no person asked. `is_evicted` says that other workers have its rows.
    """

    def __init__(
        self,
        store: WorkerStore,
        make_caller: CallerFactory,
        clock: Clock,
        *,
        only: Sequence[str] | None = None,
        steps: type[DurableSteps] = DurableSteps,
    ) -> None:
        """`only` names the batches to work on; None: all. `steps` is for the test that shows why we reserve them.

        A batch that has spent its budget is put into `refused`, with the error, and the other batches continue; if
        it is one of `only`, the work ends. A batch that is not one of `only` (an agent on a queue that all workers
        share) is put there whatever is wrong with it here.
        """
        self.only = only
        self.stopping = asyncio.Event()
        self.stopped_by: LlmOrcError | None = None
        self.is_evicted = False
        self.refused: dict[str, LlmOrcError] = {}
        self.in_flight = InFlight()
        self._store, self._make_caller, self._clock, self._steps = store, make_caller, clock, steps
        self.plan_waits = PlanWaits(store, self.in_flight, clock.now, self._wait_failed)
        self._queued: QueuedAgents | None = None  # agents whose provider has a limit over all workers
        if store.url.is_shared:
            self._queued = QueuedAgents(store.engine, store.client, APPLICATION_VERSION)
        self._recipes: dict[str, Recipe] = {}
        self._recipe_locks: dict[str, asyncio.Lock] = {}
        self._one_suspect = asyncio.Lock()

    async def run_row(self, batch_id: str, number: int, attempt: int) -> str:
        """Execute a row and return its final state. Everything else is read from the store."""
        name = workflow_id(batch_id, number, attempt)
        async with self._workflow(name):
            try:
                return await self._row_or_cause(name, batch_id, number, attempt)
            except engine_errors.DBOSNonExistentWorkflowError:
                raise  # the batch was deleted
            except Exception as e:
                await self._stop_if_store_failed(name, e)
                why = self._why_parked(e)
                await in_store(partial(self._store.batches.park, batch_id, number, why, self._clock.now()))
                raise

    def _why_parked(self, error: Exception) -> str:
        match error:
            case UnreadableValue() | StoredError() | msgspec.MsgspecError():
                return f"the store `{self._store.url}` was changed by others, or is damaged: {error}"
            case _:
                return as_error(error).message

    async def _stop_if_store_failed(self, name: str, error: Exception) -> None:
        """If the store failed, as on a full disk: stop, and don't return; the workflow is executed later."""
        # The foreign key fails if the workflow is gone: its batch was deleted, or its row ended elsewhere.
        if isinstance(error, sa.exc.SQLAlchemyError) and not isinstance(error, sa.exc.IntegrityError):
            self._give_up(name.partition(":")[0], store_error(self._store.url, error))
            await self._until_cancelled(name)

    async def _row_or_cause(self, name: str, batch_id: str, number: int, attempt: int) -> str:
        try:
            return await self._row(name, batch_id, number, attempt)
        except BaseExceptionGroup as group:
            raise first_cause(group) from group

    async def _row(self, name: str, batch_id: str, number: int, attempt: int) -> str:
        recipe, call = await self._recipe(name)
        row = await in_store(partial(self._store.batches.row, batch_id, number))
        if row.state != "waiting" or row.attempt != attempt:  # it ended, and the process before the engine knew
            return row.state
        if row.damage is not None:  # its earlier answers: asking for them again would be paid for again
            raise StorageError(f"{row.damage} (`{self._store.url}`)")
        if row.takeovers < SUSPECT_FROM:
            return await self._execute(name, row, recipe, call)
        # Execute rows that may have killed a worker one at a time, to learn which one it was.
        with self.in_flight.idle(name):
            await self._one_suspect.acquire()
        try:
            await in_store(partial(self._store.batches.mark_alone, row))
            return await self._execute(name, row, recipe, call)
        finally:
            self._one_suspect.release()

    async def _execute(self, name: str, row: BatchRow, recipe: Recipe, call: CallAgent) -> str:
        plan = make_plan(recipe.ensemble)
        limited = await self._queued.limited() if self._queued else frozenset()
        queued: set[str] = set()

        async def run_step(turn: AgentTurn) -> str:
            choices = recipe.choices.get(turn.path) if limited else None
            provider = choices[0].provider if choices else None
            if self._queued is not None and provider in limited and provider is not None:
                queued.add(turn.path)
                try:
                    with self.in_flight.idle(name):  # the worker that asks the agent stores its answer
                        answer = await self._queued.call(name, turn, provider)
                except AgentWaits as e:
                    self.plan_waits.set_aside(name, e.until)
                    await self._until_cancelled(name)
                queued.discard(turn.path)
                return answer
            return await self._call(name, call, turn)

        sink = RowSink(row.record)
        steps = self._steps(plan.names, sink, run_step)

        async def step(turn: AgentTurn) -> AgentOutput:
            with self.in_flight.agent(name):
                return await steps(turn)

        await execute(
            plan,
            RunStart(
                row.row_id,
                row.task,
                done=row.run_state.outputs,
                sandbox=recipe.rehearsal,
                inputs=inputs_of_row(recipe, row.fields),
                fails_when=recipe.ensemble.fails_when,
                named_models=recipe.named_models,
            ),
            step,
            sink,
            clock=self._clock,
            max_concurrent=len(plan.order),
            timeout_s=recipe.timeout_s,
            passes=Exception,  # an agent's own errors are outcomes of its step: what comes here is the store's
        )
        if self._queued is not None and queued:  # a time limit has ended the row, and nobody waits for these
            await self._queued.forget(name, queued)
        return await in_store(partial(self._store.batches.end_row, row, self._clock.now(), sink.record))

    async def run_agent(self, row: str, agent: str, prompt: str, texts: Mapping[str, str]) -> str:
        """Call one agent for a row that some worker carries out; return the outcome as text.

        `texts` are those of its work with their references filled in.
        """
        slot = DBOS.reserve_step()
        name = f"{row}:{agent}"
        async with self._workflow(name):
            recipe, call = await self._recipe(name)
            spec = recipe.ensemble.agent(agent)
            path = AgentPath(agent)
            turn = AgentTurn(path, spec, prompt, StepObserver(path, spec.work.kind, self._clock), texts=texts)

            async def run_step() -> str:
                return await self._call(name, call, turn)

            try:
                return await slot.run_async({"name": f"agent:{agent}", "preemptible": True}, run_step)
            except sa.exc.SQLAlchemyError as e:
                await self._stop_if_store_failed(name, e)
                raise

    async def follow_queued_agents(self) -> None:
        """Receive the answers of agents on shared queues, until cancelled. On a file, return at once."""
        if self._queued is not None:
            await self._queued.poll()

    @asynccontextmanager
    async def _workflow(self, name: str) -> AsyncIterator[None]:
        async with self.in_flight.workflow(name):
            if self.stopping.is_set():
                await self._until_cancelled(name)
            yield

    async def _recipe(self, name: str) -> tuple[Recipe, CallAgent]:
        """Return the recipe of a workflow, and what calls the agents of its row."""
        batch_id, number, *_ = name.split(":")
        async with self._recipe_locks.setdefault(batch_id, asyncio.Lock()):
            if batch_id not in self._recipes:
                self._recipes[batch_id] = await in_store(partial(self._store.batches.recipe, batch_id))
            recipe = self._recipes[batch_id]
            try:
                before_send = partial(self._before_send, batch_id)
                return recipe, await self._make_caller(batch_id, int(number), recipe, before_send)
            except LlmOrcError as e:
                self._give_up(batch_id, e)
        return await self._until_cancelled(name)

    async def _call(self, name: str, call: CallAgent, turn: AgentTurn) -> str:
        """Call an agent and return the outcome as text. Doesn't return if the worker stops because of it."""
        batch_id = name.partition(":")[0]
        with self.in_flight.call(name):
            try:
                if not self._is_held_back(batch_id):
                    retrying, within = self.in_flight.mark_waiting, partial(self.in_flight.call_within, name)
                    return await call_agent(call, turn, self._clock, _stops_the_worker, retrying, within=within)
            except LlmOrcError as e:
                self._give_up(batch_id, e)
            except sa.exc.SQLAlchemyError as e:  # the store's, not the agent's
                self._give_up(batch_id, store_error(self._store.url, e))
            except MustWaitForPlan as e:
                self.plan_waits.set_aside(name, e.used_up.until, e.used_up)
            except Evicted:
                pass  # `evict` soon cancels everything here
        return await self._until_cancelled(name)

    def _wait_failed(self, name: str, error: Exception) -> None:
        url = self._store.url
        failure = store_error(url, error) if isinstance(error, sa.exc.SQLAlchemyError) else as_error(error)
        self._give_up(name.partition(":")[0], failure)

    async def _before_send(self, batch_id: str) -> None:
        """A `BeforeSend`: once the worker stops, hold back a call that has waited for its turn or for money."""
        if self._is_held_back(batch_id):
            self.in_flight.mark_waiting()
            await asyncio.get_running_loop().create_future()
        self.in_flight.mark_sent()

    def _is_held_back(self, batch_id: str) -> bool:
        return self.stopping.is_set() or batch_id in self.refused

    def _give_up(self, batch_id: str, error: LlmOrcError) -> None:
        """Send no further call, which would fare no better; leave the row as it is for the next worker."""
        is_foreign = self.only is not None and batch_id not in self.only
        if is_foreign or (self.only is None and isinstance(error, BatchBudgetExceeded)):
            self.refused[batch_id] = error
        else:
            self.stop(error)

    async def _until_cancelled(self, name: str) -> NoReturn:
        with self.in_flight.idle(name):
            await asyncio.get_running_loop().create_future()
        raise AssertionError("a future that nobody sets has ended")

    def stop(self, because: LlmOrcError | None = None) -> None:
        """Send no call from now on; `because` is the error that the process ends with. The first call decides."""
        if self.stopped_by is None:
            self.stopped_by = because
        self.stopping.set()

    async def settled(self, batch_id: str = "") -> None:
        """Return when no call is out and every answer is stored: of one batch that is refused, or of all."""
        # Many things end a wait; polling is simpler than an event for each.
        while not self.is_evicted and not self.in_flight.is_settled(batch_id):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    def evict(self) -> None:
        """Cancel everything: other workers declared this one dead, and have its rows."""
        self.is_evicted = True
        self.stopping.set()
        self.in_flight.cancel()

    async def cancel(self, batch_id: str = "") -> None:
        """Cancel what is in flight, of one batch or of all, and return when it has ended."""
        await asyncio.gather(*self.in_flight.cancel(batch_id), return_exceptions=True)


def _stops_the_worker(error: LlmOrcError) -> bool:
    return isinstance(error, AuthError | BatchBudgetExceeded)
