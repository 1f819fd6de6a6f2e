"""Call the agents of one row, and those within them, and store the outcomes of the latter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.batches.database import store_error
from llm_orc.batches.outcome import decode_outcome
from llm_orc.batches.store_url import StoreUrl
from llm_orc.batches.workers.membership import Evicted
from llm_orc.batches.workers.plan_waits import PlanWaits
from llm_orc.batches.workers.steps.call import call_agent
from llm_orc.batches.workers.steps.sinks import StepObserver
from llm_orc.batches.workers.stoppable import Stoppable
from llm_orc.dataclass import dataclass
from llm_orc.engine.shared import Clock
from llm_orc.errors import AuthError, BatchBudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.batches.outcome import StepOutcome
    from llm_orc.batches.workers.steps.parts import RowParts
    from llm_orc.batches.workers.steps.sinks import OutcomeSink


@dataclass(frozen=True, slots=True)
class CallingWorker:
    """What the calls of all rows of a worker have in common."""

    store_url: StoreUrl
    work: Stoppable
    plan_waits: PlanWaits
    clock: Clock


class RowCalls:
    """Calls for one workflow: a row, or an agent of another worker's row."""

    def __init__(self, workflow: str, call: CallAgent, worker: CallingWorker) -> None:
        self._workflow, self._call, self._worker = workflow, call, worker
        self._batch_id = workflow.partition(":")[0]
        self.parts: RowParts | None = None  # None: nothing runs within its agents

    async def call(self, turn: AgentTurn) -> str:
        """Call an agent and return its outcome as text. Doesn't return if the worker stops because of it."""
        return await self._called(turn, self._observer(turn))

    async def call_part(self, turn: AgentTurn, within: OutcomeSink) -> StepOutcome:
        """See `CallPart`: the outcome is durable before it counts."""
        parts = self.parts
        assert parts is not None
        if (known := parts.stored(turn.path)) is not None:
            return known
        watch = self._observer(turn)
        try:
            with self._worker.work.in_flight.agent(self._workflow):
                outcome = await self._called(turn, watch)
                try:
                    await parts.store(turn.path, outcome)
                except sa.exc.SQLAlchemyError as e:
                    await self._give_up(store_error(self._worker.store_url, e))
        except asyncio.CancelledError:
            within.keep_begun(watch)  # a time limit has ended it: it is told with the agent that has the limit
            raise
        return decode_outcome(outcome)

    def _observer(self, turn: AgentTurn) -> StepObserver:
        retrying = self._worker.work.in_flight.mark_waiting
        clock, kind = self._worker.clock, turn.agent.work.kind
        return StepObserver(turn.path, kind, clock, retrying, without=turn.without)

    async def _called(self, turn: AgentTurn, watch: StepObserver) -> str:
        worker = self._worker
        with worker.work.in_flight.call(self._workflow):
            try:
                if not worker.work.is_held_back(self._batch_id):
                    return await call_agent(self._call, turn, watch, _stops_the_worker, self.call_part)
            except LlmOrcError as e:
                worker.work.give_up(self._batch_id, e)
            except sa.exc.SQLAlchemyError as e:  # the store's, not the agent's
                worker.work.give_up(self._batch_id, store_error(worker.store_url, e))
            except MustWaitForPlan as e:
                worker.plan_waits.set_aside(self._workflow, e.used_up.until, e.used_up)
            except Evicted:
                pass  # `evict` soon cancels everything here
        return await worker.work.until_cancelled(self._workflow)

    async def _give_up(self, error: LlmOrcError) -> None:
        self._worker.work.give_up(self._batch_id, error)
        await self._worker.work.until_cancelled(self._workflow)


def _stops_the_worker(error: LlmOrcError) -> bool:
    return isinstance(error, AuthError | BatchBudgetExceeded)
