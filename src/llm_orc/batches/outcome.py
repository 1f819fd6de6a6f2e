"""The outcome of an agent's durable step, as it is stored: its answer or error, its duration, and its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.output import AgentOutput
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import (
    AgentDelta,
    AgentNotice,
    AgentStarted,
    ErrorInfo,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    RecordedEvent,
)
from llm_orc.engine.observer import error_info, plan_wait_started
from llm_orc.errors import LlmOrcError
from llm_orc.runs.earlier import EarlierOutput
from llm_orc.runs.wire import decode_event, encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llm_orc.agents.path import AgentPath
    from llm_orc.auth.access import Access
    from llm_orc.engine.shared import Clock
    from llm_orc.providers.limits.plans import UsedUp


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One of `output` and `error` is set. `events` are the agent's own, as recorded, without its end."""

    ended_at: float
    duration_s: float
    events: tuple[tuple[str, str], ...]  # kind, body
    output: AgentOutput | None = None
    error: ErrorInfo | None = None

    def recorded_events(self) -> list[RecordedEvent]:
        return [event for kind, body in self.events for event in decode_event(kind, body.encode())]

    def answer(self) -> AgentOutput:
        """Return the output, or raise the error as it was."""
        if self.output is not None:
            return self.output
        assert self.error is not None
        error = LlmOrcError(self.error.message, hint=self.error.hint)
        error.__dict__.update(
            code=self.error.code, exit_code=self.error.exit_code, may_be_billed=self.error.may_be_billed
        )
        raise error


def encode_outcome(outcome: StepOutcome) -> str:
    return msgspec.json.encode(outcome).decode()


def decode_outcome(text: str) -> StepOutcome:
    """Return the outcome, also in earlier releases' format. Raises `msgspec.MsgspecError`."""
    try:
        return msgspec.json.decode(text, type=StepOutcome)
    except msgspec.ValidationError:
        earlier = msgspec.json.decode(text, type=_EarlierOutcome)
    return StepOutcome(earlier.ended_at, earlier.duration_s, earlier.events, earlier.output.as_output())


class _EarlierOutcome(msgspec.Struct):
    ended_at: float
    duration_s: float
    events: tuple[tuple[str, str], ...]
    output: EarlierOutput


def encode_events(events: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    return [(kind, body.decode()) for kind, body in events]


class StepObserver:
    """Observes an agent that runs as a step, and gathers its events for the step's outcome."""

    def __init__(
        self, agent: AgentPath, kind: str, clock: Clock, on_retry: Callable[[], None] = lambda: None
    ) -> None:
        """`kind` is that of its work; `on_retry` is called when an attempt has failed and another will follow."""
        self._agent, self._clock, self._on_retry = agent, clock, on_retry
        self._began = clock.monotonic()
        self._events: list[RecordedEvent] = [AgentStarted(clock.now(), agent, kind)]

    def calling(self, model: str, access: Access) -> None:
        self._events.append(ModelChosen(self._clock.now(), self._agent, model, access))

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self._events.append(ModelSwitched(self._clock.now(), self._agent, model, access, error_info(because)))

    def notice(self, message: str) -> None:
        self._events.append(AgentNotice(self._clock.now(), self._agent, message))

    def text(self, piece: str) -> None:
        """Ignore streamed text: a row's answers are shown when they are complete."""

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self._on_retry()
        self._events.append(ModelRetrying(self._clock.now(), self._agent, attempt, delay_s, error_info(error)))

    def waiting(self, for_plan: UsedUp) -> None:
        self._on_retry()
        self._events.append(plan_wait_started(for_plan, self._agent, self._clock.now()))

    def wait_over(self) -> None:
        self._events.append(PlanWaitEnded(self._clock.now(), self._agent))

    def post(self, event: RecordedEvent) -> None:
        """Keep an event of an agent that runs within this one: see `engine.events.EventSink`."""
        self._events.append(event)

    async def commit(self, event: RecordedEvent) -> None:
        """Keep the event; it is durable with the step."""
        self._events.append(event)

    def delta(self, event: AgentDelta) -> None:
        """Nobody looks on."""

    def outcome(self, output: AgentOutput | None, error: LlmOrcError | None) -> StepOutcome:
        return StepOutcome(
            ended_at=self._clock.now(),
            duration_s=self._clock.monotonic() - self._began,
            events=tuple(encode_events(encode_event(event) for event in self._events)),
            output=output,
            error=None if error is None else error_info(error),
        )
