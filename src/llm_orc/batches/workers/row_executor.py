"""Execute one row of a batch, or one agent of another worker's row: the bodies of the engine's workflows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec
import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_errors

from llm_orc.agents.files.run_files import RunFiles
from llm_orc.agents.kinds import agents_that_ask, agents_with_source, children_of, needs_of, tooled_agents
from llm_orc.agents.path import AgentPath, model_key
from llm_orc.agents.saving.files import FileSaver
from llm_orc.agents.turn import AgentTurn
from llm_orc.batches.batch import workflow_id
from llm_orc.batches.database import in_store, store_error
from llm_orc.batches.files.contents import load_content
from llm_orc.batches.row_inputs import inputs_of_row
from llm_orc.batches.workers.agents import QueuedAgents
from llm_orc.batches.workers.engine.serializer import StoredError, UnreadableValue
from llm_orc.batches.workers.plan_waits import PlanWaits
from llm_orc.batches.workers.queues import APPLICATION_VERSION, enqueue_row
from llm_orc.batches.workers.recovery import SUSPECT_FROM
from llm_orc.batches.workers.steps.call import into_parts
from llm_orc.batches.workers.steps.desk import RowDesk
from llm_orc.batches.workers.steps.durable import DurableSteps
from llm_orc.batches.workers.steps.parts import PartWriter
from llm_orc.batches.workers.steps.row_calls import CallingWorker, RowCalls
from llm_orc.batches.workers.steps.sinks import RowSink, StepObserver
from llm_orc.batches.workers.stoppable import Stoppable
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.engine.surprises import as_error, first_cause
from llm_orc.errors import LlmOrcError, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence
    from pathlib import Path

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import CallAgent
    from llm_orc.batches.batch import BatchRow
    from llm_orc.batches.workers.stoppable import BeforeSend
    from llm_orc.batches.workers.worker_store import WorkerStore
    from llm_orc.engine.shared import Clock
    from llm_orc.providers.parts import FileRef
    from llm_orc.runs.recipe import Recipe


_WITHIN_AT_ONCE = 32  # agents of one row, if any run within others: beyond that, the limits of providers count


def limited_provider(recipe: Recipe, limited: Collection[str], turn: AgentTurn) -> str | None:
    """Return the provider whose limit over all workers the call of this agent waits for; None: there is none."""
    if turn.agent.repeats or children_of(turn.agent):
        return None  # what runs within it is queued, each item and each sample by itself
    if needs_of(turn.agent.work).tools:
        return None  # it is called many times: each call waits at the gate
    choices = recipe.choices.get(model_key(turn.path))
    return choices[0].provider if choices and choices[0].provider in limited else None


class CallerFactory(Protocol):
    """Creates the caller of one row's agents, with this machine's credentials."""

    async def __call__(
        self, batch_id: str, number: int, recipe: Recipe, before_send: BeforeSend, /
    ) -> CallAgent: ...


class RowExecutor(Stoppable):
    """Carries out rows and agents until `stop`, from which on it sends no call."""

    def __init__(
        self,
        store: WorkerStore,
        make_caller: CallerFactory,
        clock: Clock,
        *,
        only: Sequence[str] | None = None,
        save_below: Path | None = None,
        steps: type[DurableSteps] = DurableSteps,
    ) -> None:
        """`only` names the batches to work on; None: all.

        `steps` is for the test that shows why we reserve them.
        """
        super().__init__(only)
        self._store, self._make_caller, self._clock, self._steps = store, make_caller, clock, steps
        self.plan_waits = PlanWaits(store, self.in_flight, clock.now, self._wait_failed)
        self._save_below = save_below  # the folder for files of answers; None: none are written
        self._parts = PartWriter(store.engine, store.worker_id)
        self._queued: QueuedAgents | None = None  # agents whose provider has a limit over all workers
        if store.url.is_shared:
            self._queued = QueuedAgents(store.engine, store.client, APPLICATION_VERSION)
        self._calling = CallingWorker(store.url, self, self.plan_waits, clock, self._queued)
        self._recipes: dict[str, Recipe] = {}
        self._agents: dict[str, dict[str, AgentSpec]] = {}  # of each batch, by their places
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
            self.give_up(name.partition(":")[0], store_error(self._store.url, error))
            await self.until_cancelled(name)

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

        calls = RowCalls(name, call, self._calling, partial(limited_provider, recipe, limited))
        sink = RowSink(row.record)
        steps = self._steps(plan.names, sink, calls.call)
        state, asking = row.run_state, agents_that_ask(recipe.ensemble)
        enqueue = partial(enqueue_row, self._store.client)
        before, starts_early = state.before, any(spec.may_start_early for spec in plan.order)
        if plan.children or asking or starts_early or tooled_agents(recipe.ensemble):
            calls.parts = parts = await self._parts.open_row(name)
            before = replace(before, without={**before.without, **parts.starts})
            calls.desk = RowDesk(self._store.engine, parts.of, state.questions, self._clock, enqueue)
        as_part = into_parts(calls.call_part, sink)

        async def step(turn: AgentTurn) -> AgentOutput:
            if turn.path in asking:  # a step always ends with an outcome, and this one may have none for days
                return await as_part(turn)
            with self.in_flight.agent(name):
                return await steps(turn)

        saver = await self._saver(row, recipe)
        files = RunFiles(None, recipe.named_files, partial(load_content, self._store.engine, row.batch_id))
        start = RunStart(
            row.row_id,
            row.task,
            done=state.outputs,
            before=before,
            sandbox=recipe.rehearsal,
            inputs=inputs_of_row(recipe, row.fields),
            fails_when=recipe.ensemble.fails_when,
            named_models=recipe.named_models,
            saver=saver,
            files=files,
        )
        try:
            await execute(
                plan,
                start,
                step,
                sink,
                clock=self._clock,
                max_concurrent=max(len(plan.order), _WITHIN_AT_ONCE if plan.children else 0),
                timeout_s=recipe.timeout_s,
                passes=Exception,  # an agent's own errors are outcomes of its step: what comes here is the store's
            )
        finally:
            await asyncio.to_thread(files.close)
        await calls.forget()
        return await in_store(partial(self._store.batches.end_row, row, self._clock.now(), sink.record, enqueue))

    async def _saver(self, row: BatchRow, recipe: Recipe) -> FileSaver | None:
        if self._save_below is None:
            return None
        saver = FileSaver(self._save_below, recipe.ensemble, row.run_state.outputs)
        if not recipe.rehearsal:
            await asyncio.to_thread(saver.save_missing, row.run_state.failed)
        return saver

    async def run_agent(
        self, row: str, agent: str, prompt: str, texts: Mapping[str, str], files: Sequence[FileRef] = ()
    ) -> str:
        """Call one agent for a row that some worker carries out; return the outcome as text. `agent` is its path.

        `texts` are those of its work with their references filled in, and `files` go with the prompt.
        """
        slot = DBOS.reserve_step()
        name = f"{row}:{agent}"
        async with self._workflow(name):
            _, call = await self._recipe(name)
            path = AgentPath(agent)
            of_all = self._agents[name.partition(":")[0]][model_key(path)]
            spec = replace(of_all, fan_out=None, samples=None, input_key=None)  # one of its items or samples
            observer = StepObserver(path, spec.work.kind, self._clock)
            turn = AgentTurn(path, spec, prompt, observer, texts=texts, files=(*files,))

            async def run_step() -> str:
                return await RowCalls(name, call, self._calling).call(turn)

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
                await self.until_cancelled(name)
            yield

    async def _recipe(self, name: str) -> tuple[Recipe, CallAgent]:
        """Return the recipe of a workflow, and what calls the agents of its row."""
        batch_id, number, *_ = name.split(":")
        async with self._recipe_locks.setdefault(batch_id, asyncio.Lock()):
            if batch_id not in self._recipes:
                found = await in_store(partial(self._store.batches.recipe, batch_id))
                self._recipes[batch_id] = found
                self._agents[batch_id] = {path: spec for path, spec, _ in agents_with_source(found.ensemble)}
            recipe = self._recipes[batch_id]
            try:
                before_send = partial(self.before_send, batch_id)
                return recipe, await self._make_caller(batch_id, int(number), recipe, before_send)
            except LlmOrcError as e:
                self.give_up(batch_id, e)
        return await self.until_cancelled(name)

    def _wait_failed(self, name: str, error: Exception) -> None:
        url = self._store.url
        failure = store_error(url, error) if isinstance(error, sa.exc.SQLAlchemyError) else as_error(error)
        self.give_up(name.partition(":")[0], failure)

    async def cancel(self, batch_id: str = "") -> None:
        await super().cancel(batch_id)
        await self._parts.settled()
