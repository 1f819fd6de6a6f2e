"""Call the agents of one row, and those within them, and store the outcomes of the latter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import sqlalchemy as sa

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.batches.database import store_error
from llm_orc.batches.outcome import decode_outcome
from llm_orc.batches.store_url import StoreUrl
from llm_orc.batches.workers.agents import AgentWaits, QueuedAgents
from llm_orc.batches.workers.membership import Evicted
from llm_orc.batches.workers.plan_waits import PlanWaits
from llm_orc.batches.workers.steps.actions import RowActions
from llm_orc.batches.workers.steps.call import call_agent
from llm_orc.batches.workers.steps.sinks import StepObserver
from llm_orc.batches.workers.stoppable import Stoppable
from llm_orc.dataclass import dataclass
from llm_orc.engine.shared import Clock
from llm_orc.errors import AuthError, BatchBudgetExceeded, DailyBudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.batches.outcome import StepOutcome
    from llm_orc.batches.workers.steps.desk import RowDesk
    from llm_orc.batches.workers.steps.parts import RowParts
    from llm_orc.batches.workers.steps.sinks import OutcomeSink


@dataclass(frozen=True, slots=True)
class CallingWorker:
    """What the calls of all rows of a worker have in common. `queued`: agents that any worker may call."""

    store_url: StoreUrl
    work: Stoppable
    plan_waits: PlanWaits
    clock: Clock
    queued: QueuedAgents | None = None


class RowCalls:
    """Calls for one workflow: a row, or an agent of another worker's row."""

    def __init__(
        self,
        workflow: str,
        call: CallAgent,
        worker: CallingWorker,
        queue_of: Callable[[AgentTurn], str | None] = lambda _turn: None,
    ) -> None:
        """`queue_of` returns the provider on whose queue an agent waits for a worker; None: it is called here."""
        self._workflow, self._call, self._worker, self._queue_of = workflow, call, worker, queue_of
        self._batch_id = workflow.partition(":")[0]
        self._on_queues: set[str] = set()
        self.parts: RowParts | None = None  # None: nothing is to be kept before its agents end
        self.desk: RowDesk | None = None  # None: they ask nobody

    async def call(self, turn: AgentTurn) -> str:
        """Call an agent and return its outcome as text. Doesn't return if the worker stops because of it."""
        return await self._outcome(turn, self._observer(turn))

    async def forget(self) -> None:
        """Take agents off their queues that nobody waits for any more, as a time limit has ended the row."""
        if self._worker.queued is not None and self._on_queues:
            await self._worker.queued.forget(self._workflow, self._on_queues)

    async def call_part(self, turn: AgentTurn, within: OutcomeSink) -> StepOutcome:
        """See `CallPart`: the outcome is durable before it counts. Raises `WaitsForPerson`."""
        parts = self.parts
        assert parts is not None
        if (known := parts.stored(turn.path)) is not None:
            return known
        watch = self._observer(turn)
        try:
            with self._worker.work.in_flight.agent(self._workflow):
                outcome = await self._outcome(turn, watch)
                try:
                    await parts.store(turn.path, outcome)
                except sa.exc.SQLAlchemyError as e:
                    await self._give_up(store_error(self._worker.store_url, e))
        except (asyncio.CancelledError, WaitsForPerson):
            within.keep_begun(watch)  # a time limit has ended it, which is told with the agent that has the limit
            raise
        return decode_outcome(outcome)

    def _observer(self, turn: AgentTurn) -> StepObserver:
        retrying = self._worker.work.in_flight.mark_waiting
        clock, kind = self._worker.clock, turn.agent.work.kind
        return StepObserver(turn.path, kind, clock, retrying, without=turn.without)

    async def _outcome(self, turn: AgentTurn, watch: StepObserver) -> str:
        is_item = turn.path.endswith("]")  # which waits for nobody
        if self.parts is not None and turn.agent.may_start_early and not is_item:
            try:
                await self.parts.store_start(turn.path, turn.without)
            except sa.exc.SQLAlchemyError as e:
                await self._give_up(store_error(self._worker.store_url, e))
        provider = None if self._worker.queued is None else self._queue_of(turn)
        return await self._called(turn, watch) if provider is None else await self._queued(turn, provider)

    async def _queued(self, turn: AgentTurn, provider: str) -> str:
        worker = self._worker
        assert worker.queued is not None
        self._on_queues.add(turn.path)
        try:
            with worker.work.in_flight.idle(self._workflow):  # the worker that asks the agent stores its answer
                outcome = await worker.queued.call(self._workflow, turn, provider)
        except AgentWaits as e:
            worker.plan_waits.set_aside(self._workflow, e.until)
            await self._until_set_aside(turn)
        self._on_queues.discard(turn.path)
        return outcome

    async def _called(self, turn: AgentTurn, watch: StepObserver) -> str:
        worker, is_aside = self._worker, False
        with worker.work.in_flight.call(self._workflow):
            try:
                if not worker.work.is_held_back(self._batch_id):
                    return await call_agent(
                        self._call,
                        turn,
                        watch,
                        _stops_the_worker,
                        self.call_part,
                        desk=self.desk,
                        actions=self._actions(turn, watch),
                    )
            except LlmOrcError as e:
                worker.work.give_up(self._batch_id, e)
            except sa.exc.SQLAlchemyError as e:  # the store's, not the agent's
                worker.work.give_up(self._batch_id, store_error(worker.store_url, e))
            except MustWaitForPlan as e:
                worker.plan_waits.set_aside(self._workflow, e.used_up.until, e.used_up)
                is_aside = True
            except Evicted:
                pass  # `evict` soon cancels everything here
        if is_aside:
            await self._until_set_aside(turn)
        return await worker.work.until_cancelled(self._workflow)

    async def _until_set_aside(self, turn: AgentTurn) -> NoReturn:
        """Wait for the row to be put back on its queue; no time limit counts while other agents finish."""
        async with turn.idle():
            await self._worker.work.until_cancelled(self._workflow)

    def _actions(self, turn: AgentTurn, watch: StepObserver) -> RowActions | None:
        if self.parts is None or not needs_of(turn.agent.work).tools or turn.agent.repeats:
            return None
        return RowActions(self.parts, turn, watch, self._worker.work, self._batch_id)

    async def _give_up(self, error: LlmOrcError) -> None:
        self._worker.work.give_up(self._batch_id, error)
        await self._worker.work.until_cancelled(self._workflow)


def _stops_the_worker(error: LlmOrcError) -> bool:
    return isinstance(error, AuthError | BatchBudgetExceeded | DailyBudgetExceeded)
