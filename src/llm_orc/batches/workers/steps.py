"""A row's agents as durable steps: each under its own name, at a place drawn before anything starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbos import DBOS

from llm_orc.batches.database import StoreFailure
from llm_orc.batches.outcome import StepOutcome, StepWatch, decode_outcome, encode_outcome
from llm_orc.batches.workers.membership import Evicted
from llm_orc.engine.events import AgentDelta, AgentFailed, AgentFinished, AgentStarted
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError
from llm_orc.runs.wire import encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from dbos import StepReservation

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.engine.events import RecordedEvent
    from llm_orc.engine.execute import Clock


class RowSink:
    """Gathers a row's events. An agent's end has the time of its step, however often the row was begun again."""

    failure = None

    def __init__(self, earlier: Sequence[RecordedEvent] = ()) -> None:
        """`earlier` are the events of an attempt before this one, which goes on with its answers."""
        self.record: list[bytes] = []
        for event in earlier:
            self.keep(event)
        self.outcomes: dict[str, StepOutcome] = {}

    def post(self, event: RecordedEvent) -> None:
        if isinstance(event, AgentStarted):
            return  # its step tells when it started, and that may have been in another process
        if isinstance(event, AgentFinished | AgentFailed) and (outcome := self.outcomes.get(event.agent)):
            event = replace(event, at=outcome.ended_at, duration_s=outcome.duration_s)
        self.keep(event)

    def keep(self, event: RecordedEvent) -> None:
        """Take an event as it is."""
        kind, body = encode_event(event)
        self.record.append(b'["%s",%s]' % (kind.encode(), body))

    async def commit(self, event: RecordedEvent) -> None:
        self.post(event)

    def delta(self, event: AgentDelta) -> None:
        """Provisional, and nobody looks on."""


class DurableSteps:
    """The engine's `call` in a batch. Make it in the workflow, before anything is awaited.

    The durable engine numbers a step when it is drawn. Drawn as agents become ready, the numbers would follow who
    finishes first, and after a crash one agent would be given another's answer.
    """

    def __init__(
        self, agents: Sequence[str], sink: RowSink, ask: Callable[[AgentTurn], Coroutine[None, None, str]]
    ) -> None:
        self._slots: dict[str, StepReservation] = {name: DBOS.reserve_step() for name in agents}
        self._sink, self._ask = sink, ask

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        outcome = decode_outcome(await self.run_step(turn))
        self._sink.outcomes[turn.path] = outcome
        for event in outcome.recorded_events():
            self._sink.keep(event)
        return outcome.answer()

    async def run_step(self, turn: AgentTurn) -> str:
        """Ask the agent, or return what an earlier try of this row was told."""
        path = turn.path
        return await self._slots[path].run_async({"name": f"agent:{path}", "preemptible": True}, self._ask, turn)


async def call_agent(
    call: CallAgent,
    turn: AgentTurn,
    clock: Clock,
    is_fatal: Callable[[LlmOrcError], bool],
    retrying: Callable[[], None],
) -> str:
    """Call the agent and return the outcome as text: its answer, or its failure.

    `retrying` is called when a try has failed and another will follow. Raises failures that are `is_fatal`.
    """
    watch = StepWatch(turn.path, turn.agent.work.kind, clock, retrying)
    try:
        output = await call(replace(turn, observer=watch))
    except LlmOrcError as e:
        if is_fatal(e):
            raise
        return encode_outcome(watch.outcome(None, e))
    except (StoreFailure, Evicted):  # raised while the call was counted: the store's, not the agent's
        raise
    except Exception as e:  # noqa: BLE001 - the seam to the agents: a bug in one ends nothing but itself
        return encode_outcome(watch.outcome(None, as_error(e)))
    return encode_outcome(watch.outcome(output, None))
