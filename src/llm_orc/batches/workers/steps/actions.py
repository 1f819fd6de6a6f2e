"""What the agents of a row do with their tools: stored as parts of the row, before anything follows from it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llm_orc.agents.tool_log.actions import ToolBegun, ToolEnded
from llm_orc.batches.outcome import StepOutcome, encode_outcome
from llm_orc.engine.before import actions_of
from llm_orc.runs.wire import encode_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.tool_log.actions import ToolAction
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.batches.workers.steps.parts import RowParts
    from llm_orc.batches.workers.steps.sinks import StepObserver
    from llm_orc.batches.workers.stoppable import Stoppable
    from llm_orc.engine.events import ToolEvent


class RowActions:
    """An `ActionLog` of one agent. Create it in the task that calls the agent.

    While a tool is under way that may not be called twice, the worker waits for it as for an answer; once the
    worker stops, no tool begins.
    """

    def __init__(
        self, parts: RowParts, turn: AgentTurn, watch: StepObserver, work: Stoppable, batch_id: str
    ) -> None:
        self._parts, self._path, self._watch = parts, turn.path, watch
        self._work, self._batch_id = work, batch_id
        self._task = asyncio.current_task()
        self._once: set[int] = set()  # calls under way that may not be repeated
        stored = parts.series(turn.path)
        self._next = len(stored)
        known = [event for part in stored for event in part.recorded_events()]
        for event in known:
            watch.keep(event)
        before = () if turn.actions is None else turn.actions.earlier  # of earlier attempts at the row
        self.earlier: Sequence[ToolAction] = (*before, *actions_of(known))

    async def keep(self, action: ToolAction) -> None:
        """See `ActionLog`. Raises `DBOSWorkflowConflictIDError` if another execution has the row."""
        in_flight = self._work.in_flight
        if isinstance(action, ToolBegun):
            if self._work.is_held_back(self._batch_id):
                await asyncio.get_running_loop().create_future()  # it is cancelled, and nothing is lost
            if not action.may_repeat:
                self._once.add(action.number)
                in_flight.mark_sent(self._task)
        event = self._watch.acted(action)
        number, self._next = self._next, self._next + 1
        outcome = StepOutcome(event.at, 0.0, (_encoded(event),))
        await self._parts.store_in_series(self._path, number, encode_outcome(outcome))
        if isinstance(action, ToolEnded):
            self._once.discard(action.number)
        if not self._once:
            in_flight.mark_waiting(self._task)


def _encoded(event: ToolEvent) -> tuple[str, str]:
    kind, body = encode_event(event)
    return kind, body.decode()
