"""A row's agents as durable steps: each has its own name, and a number that is reserved before any starts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from dbos import DBOS

from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.batches.database import StoreFailure
from llm_orc.batches.outcome import StepObserver, StepOutcome, decode_outcome, encode_outcome
from llm_orc.batches.workers.membership import Evicted
from llm_orc.engine.child_runs import ChildRuns
from llm_orc.engine.events import AgentDelta, AgentFailed, AgentFinished, AgentStarted
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError
from llm_orc.runs.wire import encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractContextManager

    from dbos import StepReservation

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.engine.events import RecordedEvent
    from llm_orc.engine.shared import Clock


class RowSink:
    """Gathers a row's events. An agent ends when its step says, also if the row is carried out again."""

    failure = None

    def __init__(self, earlier: Sequence[RecordedEvent] = ()) -> None:
        """`earlier` are the events of the previous attempt, whose answers this attempt keeps."""
        self.record: list[bytes] = []
        for event in earlier:
            self.keep(event)
        self.outcomes: dict[str, StepOutcome] = {}

    def post(self, event: RecordedEvent) -> None:
        if isinstance(event, AgentStarted):
            return  # its step knows when it started, perhaps in another process
        if isinstance(event, AgentFinished | AgentFailed) and (outcome := self.outcomes.get(event.agent)):
            event = replace(event, at=outcome.ended_at, duration_s=outcome.duration_s)
        self.keep(event)

    def keep(self, event: RecordedEvent) -> None:
        """Keep an event unchanged."""
        kind, body = encode_event(event)
        self.record.append(b'["%s",%s]' % (kind.encode(), body))

    async def commit(self, event: RecordedEvent) -> None:
        self.post(event)

    def delta(self, event: AgentDelta) -> None:
        """Ignore streamed text: a row's answers are shown when they are complete."""


class DurableSteps:
    """The run engine's `call` in a batch. Create it in the workflow, before anything is awaited.

    The durable engine numbers steps in the order in which they are reserved. Reserved when an agent is ready,
    their numbers would depend on which agent finishes first, and after a crash an agent would get another agent's
    answer.
    """

    def __init__(
        self, agents: Sequence[str], sink: RowSink, call: Callable[[AgentTurn], Coroutine[None, None, str]]
    ) -> None:
        self._slots: dict[str, StepReservation] = {name: DBOS.reserve_step() for name in agents}
        self._sink, self._call = sink, call

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        outcome = decode_outcome(await self.run_step(turn))
        self._sink.outcomes[turn.path] = outcome
        for event in outcome.recorded_events():
            self._sink.keep(event)
        return outcome.answer()

    async def run_step(self, turn: AgentTurn) -> str:
        """Call the agent, or return the outcome that an earlier execution of this row has stored."""
        path = turn.path
        return await self._slots[path].run_async({"name": f"agent:{path}", "preemptible": True}, self._call, turn)


class _NoAgentsFailure(Exception):
    """What ends the work on a batch, on its way through the agents around the one that it came from."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _called_within(
    call: CallAgent, is_fatal: Callable[[LlmOrcError], bool], within: Callable[[], AbstractContextManager[None]]
) -> CallAgent:
    async def call_within(turn: AgentTurn) -> AgentOutput:
        try:
            with within():
                return await call(turn)
        except (StoreFailure, Evicted, MustWaitForPlan) as e:
            raise _NoAgentsFailure(e) from e
        except LlmOrcError as e:
            if is_fatal(e):
                raise _NoAgentsFailure(e) from e
            raise

    return call_within


async def call_agent(
    call: CallAgent,
    turn: AgentTurn,
    clock: Clock,
    is_fatal: Callable[[LlmOrcError], bool],
    retrying: Callable[[], None],
    *,
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> str:
    """Call the agent and return the outcome as text: its answer, or its failure.

    `retrying` is called when an attempt has failed and another will follow. Agents that run within it are a part
    of its step: each is called inside `within`, and told with the step's outcome. Raises failures that are
    `is_fatal`.
    """
    watch = StepObserver(turn.path, turn.agent.work.kind, clock, retrying)
    children = turn.children
    if isinstance(children, ChildRuns):
        children = children.into(watch, _called_within(call, is_fatal, within), passes=_NoAgentsFailure)
    try:
        output = await call(replace(turn, observer=watch, children=children))
    except _NoAgentsFailure as e:
        raise e.cause from e
    except LlmOrcError as e:
        if is_fatal(e):
            raise
        return encode_outcome(watch.outcome(None, e))
    except (StoreFailure, Evicted, MustWaitForPlan):  # the store's, or the plan's, and not the agent's
        raise
    except Exception as e:  # noqa: BLE001 - the seam to the agents: a bug in one ends nothing but itself
        return encode_outcome(watch.outcome(None, as_error(e)))
    return encode_outcome(watch.outcome(output, None))
