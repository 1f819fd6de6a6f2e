"""Where the events of a row go: those of an agent come with its outcome, also if it is carried out again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.batches.outcome import StepOutcome
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentStarted,
    AnswerRejected,
    ItemsStarted,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    RoundStarted,
)
from llm_orc.engine.observer import error_info, plan_wait_started, tool_event
from llm_orc.runs.wire import encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.agents.output import AgentOutput, ModelCall
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.tool_log.actions import ToolAction
    from llm_orc.auth.access import Access
    from llm_orc.engine.events import RecordedEvent, ToolEvent
    from llm_orc.engine.shared import Clock
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.limits.plans import UsedUp


class OutcomeSink(ABC):
    """Takes the events of agents in order; each agent starts and ends as its outcome says."""

    failure = None

    def __init__(self) -> None:
        self._outcomes: dict[str, StepOutcome] = {}  # of agents whose end has not been posted yet

    @abstractmethod
    def keep_encoded(self, kind: str, body: bytes) -> None:
        """Keep an event as it is."""

    def keep(self, event: RecordedEvent) -> None:
        """Keep an event unchanged."""
        self.keep_encoded(*encode_event(event))

    def keep_outcome(self, path: AgentPath, outcome: StepOutcome) -> None:
        """Keep all events of an agent but its end, which the engine posts next."""
        self._outcomes[path] = outcome
        for kind, body in outcome.events:
            self.keep_encoded(kind, body.encode())

    def keep_begun(self, other: StepObserver) -> None:
        """Keep the events of an agent within this one that ends without an outcome."""
        for kind, body in other.events:
            self.keep_encoded(kind, body.encode())

    def post(self, event: RecordedEvent) -> None:
        """See `engine.events.EventSink`."""
        if isinstance(event, AgentStarted):
            return  # its outcome knows when it started, perhaps in another process
        if isinstance(event, AgentFinished | AgentFailed) and (outcome := self._outcomes.pop(event.agent, None)):
            event = replace(event, at=outcome.ended_at, duration_s=outcome.duration_s)
        self.keep(event)

    async def commit(self, event: RecordedEvent) -> None:
        """Keep the event; it is durable with what contains it."""
        self.post(event)

    def delta(self, event: AgentDelta) -> None:  # noqa: B027 - there is nothing to add
        """Ignore streamed text: a row's answers are shown when they are complete."""


class RowSink(OutcomeSink):
    """Gathers the record of a row."""

    def __init__(self, earlier: Sequence[RecordedEvent] = ()) -> None:
        """`earlier` are the events of the previous attempt, whose answers this attempt keeps."""
        super().__init__()
        self.record: list[bytes] = []
        for event in earlier:
            self.keep(event)

    def keep_encoded(self, kind: str, body: bytes) -> None:
        self.record.append(b'["%s",%s]' % (kind.encode(), body))


class StepObserver(OutcomeSink):
    """Observes an agent, and gathers its events and those of agents within it for its outcome."""

    def __init__(
        self,
        agent: AgentPath,
        kind: str,
        clock: Clock,
        on_retry: Callable[[], None] = lambda: None,
        *,
        without: tuple[AgentPath, ...] = (),
    ) -> None:
        """`kind` is that of its work; `on_retry` is called when an attempt has failed and another will follow.

        `without`: see `AgentStarted`.
        """
        super().__init__()
        self._agent, self._clock, self._on_retry = agent, clock, on_retry
        self._began = clock.monotonic()
        self.events: list[tuple[str, str]] = []
        self.keep(AgentStarted(clock.now(), agent, kind, without))

    def keep_encoded(self, kind: str, body: bytes) -> None:
        self.events.append((kind, body.decode()))

    def calling(self, model: str, access: Access) -> None:
        self.keep(ModelChosen(self._clock.now(), self._agent, model, access))

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self.keep(ModelSwitched(self._clock.now(), self._agent, model, access, error_info(because)))

    def notice(self, message: str) -> None:
        self.keep(AgentNotice(self._clock.now(), self._agent, message))

    def items(self, total: int) -> None:
        self.keep(ItemsStarted(self._clock.now(), self._agent, total))

    def round(self, number: int, total: int) -> None:
        self.keep(RoundStarted(self._clock.now(), self._agent, number, total))

    def text(self, piece: str) -> None:
        """Ignore streamed text, as `delta` does."""

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self._on_retry()
        self.keep(ModelRetrying(self._clock.now(), self._agent, attempt, delay_s, error_info(error)))

    def rejected(self, call: ModelCall, error: LlmOrcError, attempt: int) -> None:
        self._on_retry()
        self.keep(AnswerRejected(self._clock.now(), self._agent, attempt, call, error_info(error)))

    def waiting(self, for_plan: UsedUp) -> None:
        self._on_retry()
        self.keep(plan_wait_started(for_plan, self._agent, self._clock.now()))

    def wait_over(self) -> None:
        self.keep(PlanWaitEnded(self._clock.now(), self._agent))

    def acted(self, action: ToolAction) -> ToolEvent:
        """Keep what the agent does with its tools, and return the event."""
        event = tool_event(action, self._agent, self._clock.now())
        self.keep(event)
        return event

    def outcome(self, output: AgentOutput | None, error: LlmOrcError | None) -> StepOutcome:
        return StepOutcome(
            ended_at=self._clock.now(),
            duration_s=self._clock.monotonic() - self._began,
            events=tuple(self.events),
            output=output,
            error=None if error is None else error_info(error),
        )
