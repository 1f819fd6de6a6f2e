"""A row's agents as durable steps: each has its own name, and a number that is reserved before any starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbos import DBOS

from llm_orc.batches.outcome import decode_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from dbos import StepReservation

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.batches.workers.steps.sinks import RowSink


class DurableSteps:
    """The run engine's `call` in a batch. Create it in the workflow, before anything is awaited.

    The durable engine numbers steps in the order in which they are reserved. Reserved when an agent is ready,
    their numbers would depend on which agent finishes first, and after a crash an agent would get another agent's
    answer.
    """

    def __init__(
        self,
        agents: Sequence[str],
        sink: RowSink,
        call: Callable[[AgentTurn], Coroutine[None, None, str]],
    ) -> None:
        self._slots: dict[str, StepReservation] = {name: DBOS.reserve_step() for name in agents}
        self._sink, self._call = sink, call

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        outcome = decode_outcome(await self.run_step(turn))
        self._sink.keep_outcome(turn.path, outcome)
        return outcome.answer()

    async def run_step(self, turn: AgentTurn) -> str:
        """Call the agent, or return the outcome that an earlier execution of this row has stored."""
        path = turn.path
        return await self._slots[path].run_async({"name": f"agent:{path}", "preemptible": True}, self._call, turn)
