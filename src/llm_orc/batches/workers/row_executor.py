"""Carry out one row, or one agent of a row of some other worker: what the engine's workflows do here."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec
import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_errors

from llm_orc.agents.turn import AgentTurn
from llm_orc.batches.batch import workflow_id
from llm_orc.batches.database import in_store, store_error
from llm_orc.batches.outcome import StepWatch
from llm_orc.batches.workers.membership import Evicted
from llm_orc.batches.workers.recovery import SUSPECT_FROM
from llm_orc.batches.workers.serializer import StoredError, UnreadableValue
from llm_orc.batches.workers.steps import RowSink, ask
from llm_orc.engine.execute import execute
from llm_orc.engine.plan import make_plan
from llm_orc.engine.surprises import as_error, first_cause
from llm_orc.errors import AuthError, BatchBudgetExceeded, LlmOrcError, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import CallAgent
    from llm_orc.batches.batch import BatchRow
    from llm_orc.batches.batch_store import BatchStore
    from llm_orc.batches.store_url import Place
    from llm_orc.batches.workers.agents import QueuedAgents
    from llm_orc.batches.workers.steps import DurableSteps
    from llm_orc.engine.execute import Clock
    from llm_orc.runs.recipe import Recipe


_LOOK_S = 0.02


@dataclass(slots=True)
class _Ask:
    """One agent that is asked; `is_out` while a try is at its provider, whose answer must not be lost."""

    name: str
    is_out: bool = False


class Calls(Protocol):
    """Makes what asks the agents of a row, with this machine's own credentials."""

    async def __call__(self, batch_id: str, number: int, recipe: Recipe, /) -> CallAgent: ...


class RowExecutor:
    """The rows and agents under way in this process. `stop` makes it begin no call any more."""

    def __init__(
        self,
        place: Place,
        batches: BatchStore,
        calls: Calls,
        clock: Clock,
        *,
        steps: type[DurableSteps],
        queued: QueuedAgents | None,
        only: Sequence[str] | None = None,
    ) -> None:
        """`queued` is where agents go whose provider is limited over all workers; None: there is no other.

        A batch that has spent its budget is put into `spent`, and others go on; one of `only` ends the work. A
        batch that is not of `only` is put there too, whatever is wrong with it here.
        """
        self.stopping = asyncio.Event()
        self.stopped_by: LlmOrcError | None = None
        self.is_lost = False  # others have our work; a new worker may go on
        self.spent: dict[str, LlmOrcError] = {}  # batches to be let go of, and what a call was refused with
        self._only = only
        self._place, self._batches, self._calls, self._clock = place, batches, calls, clock
        self._steps, self._queued = steps, queued
        self._under_way: dict[str, asyncio.Task[object]] = {}  # by the workflow's name, as what follows
        self._busy: Counter[str] = Counter()  # agents of a row that are begun and not ended
        self._at_rest: Counter[str] = Counter()  # of these, those that can be cut without losing anything
        self._asks: dict[asyncio.Task[object], _Ask] = {}
        self._recipes: dict[str, Recipe] = {}
        self._getting: dict[str, asyncio.Lock] = {}
        self._one_suspect = asyncio.Lock()

    @property
    def batches_under_way(self) -> set[str]:
        return {name.partition(":")[0] for name in self._under_way}

    @property
    def names_under_way(self) -> set[str]:
        """The workflows that this process carries out."""
        return set(self._under_way)

    @property
    def rows_under_way(self) -> int:
        return sum(name.count(":") == 2 for name in self._under_way)

    # --- what workflows do --------------------------------------------------------------------------------

    async def run_row(self, batch_id: str, number: int, attempt: int) -> str:
        """Carry out a row and return how it ended. The batch's id stands for all else that it needs."""
        name = workflow_id(batch_id, number, attempt)
        async with self._counting(name):
            try:
                return await self._row_or_cause(name, batch_id, number, attempt)
            except engine_errors.DBOSNonExistentWorkflowError:
                raise  # deleted
            except Exception as e:
                await self._give_up_if_store_failed(name, e)
                why = self._why_parked(e)
                await in_store(partial(self._batches.park, batch_id, number, why, self._clock.now()))
                raise

    def _why_parked(self, error: Exception) -> str:
        match error:
            case UnreadableValue() | StoredError() | msgspec.MsgspecError():
                return f"the store `{self._place}` was changed by others, or is damaged: {error}"
            case _:
                return as_error(error).message

    async def _give_up_if_store_failed(self, name: str, error: Exception) -> None:
        """On a full disk, give up and leave the workflow to be begun again; it does not return then."""
        # The foreign key breaks where the workflow is gone: its batch is deleted, or others ended its row.
        if isinstance(error, sa.exc.SQLAlchemyError) and not isinstance(error, sa.exc.IntegrityError):
            self._give_up(name.partition(":")[0], store_error(self._place, error))
            await self._until_cancelled(name)

    async def _row_or_cause(self, name: str, batch_id: str, number: int, attempt: int) -> str:
        try:
            return await self._row(name, batch_id, number, attempt)
        except BaseExceptionGroup as group:
            raise first_cause(group) from group

    async def _row(self, name: str, batch_id: str, number: int, attempt: int) -> str:
        recipe, call = await self._recipe(name)
        row = await in_store(partial(self._batches.row, batch_id, number))
        if row.state != "waiting" or row.attempt != attempt:  # it ended, and the process before the engine knew
            return row.state
        if row.damage is not None:  # its earlier answers: to ask for them again would be paid for again
            raise StorageError(f"{row.damage} (`{self._place}`)")
        if row.takeovers < SUSPECT_FROM:
            return await self._execute(name, row, recipe, call)
        # Of rows that may have taken a worker down, carry out one at a time, to learn which it was.
        with _counted(self._at_rest, name):
            await self._one_suspect.acquire()
        try:
            await in_store(partial(self._batches.mark_alone, row))
            return await self._execute(name, row, recipe, call)
        finally:
            self._one_suspect.release()

    async def _execute(self, name: str, row: BatchRow, recipe: Recipe, call: CallAgent) -> str:
        plan = make_plan(recipe.ensemble)
        limited = await self._queued.limited() if self._queued else frozenset()
        queued: set[str] = set()

        async def ask_agent(turn: AgentTurn) -> str:
            choices = recipe.choices.get(turn.agent.name) if limited else None
            provider = choices[0].provider if choices else None
            if self._queued is not None and provider in limited and provider is not None:
                queued.add(turn.agent.name)
                with _counted(self._at_rest, name):  # whoever asks it keeps its answer
                    answer = await self._queued.ask(name, turn.agent.name, turn.prompt, provider)
                queued.discard(turn.agent.name)
                return answer
            return await self._ask(name, call, turn)

        sink = RowSink(row.record)
        steps = self._steps(plan.names, sink, ask_agent)

        async def step(turn: AgentTurn) -> AgentOutput:
            with _counted(self._busy, name):
                return await steps(turn)

        await execute(
            plan,
            row.task,
            step,
            sink,
            run_id=row.row_id,
            clock=self._clock,
            max_concurrent=len(plan.order),
            timeout_s=recipe.timeout_s,
            done=row.run_state.outputs,
            sandbox=recipe.rehearsal,
            passes=Exception,  # agents' own are outcomes of their steps: what comes here is of the store
        )
        if self._queued is not None and queued:  # a time limit has ended the row: nobody waits for these
            await self._queued.forget(name, queued)
        return await in_store(partial(self._batches.end_row, row, self._clock.now(), sink.record))

    async def run_agent(self, row: str, agent: str, prompt: str) -> str:
        """Ask one agent for a row that some worker carries out; returns the outcome as text."""
        slot = DBOS.reserve_step()
        name = f"{row}:{agent}"
        async with self._counting(name):
            recipe, call = await self._recipe(name)
            spec = recipe.ensemble.agent(agent)
            turn = AgentTurn(spec, prompt, StepWatch(agent, self._clock))

            async def ask_it() -> str:
                return await self._ask(name, call, turn)

            try:
                return await slot.run_async({"name": f"agent:{agent}", "preemptible": True}, ask_it)
            except sa.exc.SQLAlchemyError as e:
                await self._give_up_if_store_failed(name, e)
                raise

    @asynccontextmanager
    async def _counting(self, name: str) -> AsyncIterator[None]:
        task = self._under_way[name] = _this_task()
        try:
            if self.stopping.is_set():
                await self._until_cancelled(name)
            yield
        finally:
            if self._under_way.get(name) is task:
                del self._under_way[name]

    async def _recipe(self, name: str) -> tuple[Recipe, CallAgent]:
        """Return the recipe of a workflow, and what asks the agents of its row."""
        batch_id, number, *_ = name.split(":")
        async with self._getting.setdefault(batch_id, asyncio.Lock()):
            if batch_id not in self._recipes:
                self._recipes[batch_id] = await in_store(partial(self._batches.recipe, batch_id))
            recipe = self._recipes[batch_id]
            try:
                return recipe, await self._calls(batch_id, int(number), recipe)
            except LlmOrcError as e:
                self._give_up(batch_id, e)
        return await self._until_cancelled(name)

    # --- one call -----------------------------------------------------------------------------------------

    async def _ask(self, name: str, call: CallAgent, turn: AgentTurn) -> str:
        batch_id = name.partition(":")[0]
        task = _this_task()
        self._asks[task] = _Ask(name)
        try:
            if not self._is_kept_back(batch_id):
                return await ask(call, turn, self._clock, _stops_the_worker, self._call_is_back)
        except LlmOrcError as e:
            self._give_up(batch_id, e)
        except sa.exc.SQLAlchemyError as e:  # the store, and no fault of the agent's
            self._give_up(batch_id, store_error(self._place, e))
        except Evicted:
            pass  # and all that is under way here is cancelled soon
        finally:
            del self._asks[task]
        return await self._until_cancelled(name)

    async def call_starts(self, batch_id: str) -> None:
        """Await it before each try is sent: once we stop, it keeps back who waited for a turn or for money."""
        if self._is_kept_back(batch_id):
            self._call_is_back()
            await asyncio.get_running_loop().create_future()
        self._asks[_this_task()].is_out = True

    def _call_is_back(self) -> None:
        """The call of this task has failed, and its next try is waited for."""
        self._asks[_this_task()].is_out = False

    def _is_kept_back(self, batch_id: str) -> bool:
        return self.stopping.is_set() or batch_id in self.spent

    def _give_up(self, batch_id: str, error: LlmOrcError) -> None:
        """No other call would fare better: stop here, and leave the row as it is for who comes next."""
        is_foreign = self._only is not None and batch_id not in self._only  # an agent on a queue that all share
        if is_foreign or (self._only is None and isinstance(error, BatchBudgetExceeded)):
            self.spent[batch_id] = error
        else:
            self.stop(error)

    async def _until_cancelled(self, name: str) -> NoReturn:
        with _counted(self._at_rest, name):
            await asyncio.get_running_loop().create_future()
        raise AssertionError("a future that nobody sets has ended")

    # --- stopping -----------------------------------------------------------------------------------------

    def stop(self, because: LlmOrcError | None = None) -> None:
        """Begin no call any more; `because` is what the process ends with."""
        if self.stopped_by is None:
            self.stopped_by = because
        self.stopping.set()

    async def settled(self, batch_id: str = "") -> None:
        """Return when no call is out any more and each answer is kept, for one batch that is spent or for all."""
        # Many things end a rest, and none of them is worth an event.
        while not self.is_lost and not all(map(self._is_at_rest, self._names(batch_id))):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    def _is_at_rest(self, name: str) -> bool:
        """A row also rests before its first agent; between two it writes down what the first one said."""
        waiting = sum(one.name == name and not one.is_out for one in self._asks.values())
        return self._at_rest[name] + waiting >= max(1, self._busy[name])

    def _names(self, batch_id: str) -> list[str]:
        return [name for name in self._under_way if not batch_id or name.startswith(f"{batch_id}:")]

    def let_go(self) -> None:
        """Others took us for dead, and have our work: what we still do for it is for nothing."""
        self.is_lost = True
        self.stopping.set()
        for task in list(self._under_way.values()):
            task.cancel()

    async def end(self, batch_id: str = "") -> None:
        """Cancel what is under way, for one batch or for all, and return when it has gone."""
        tasks = [self._under_way[name] for name in self._names(batch_id)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _stops_the_worker(error: LlmOrcError) -> bool:
    return isinstance(error, AuthError | BatchBudgetExceeded)


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


@contextmanager
def _counted(counter: Counter[str], name: str) -> Iterator[None]:
    counter[name] += 1
    try:
        yield
    finally:
        counter[name] -= 1
        if not counter[name]:
            del counter[name]
