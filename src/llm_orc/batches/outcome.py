"""The outcome of an agent's durable step, as it is stored: its answer or error, its duration, and its events."""

from __future__ import annotations

import msgspec

from llm_orc.agents.output import AgentOutput
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import ErrorInfo, RecordedEvent
from llm_orc.errors import LlmOrcError
from llm_orc.runs.earlier import EarlierOutput
from llm_orc.runs.wire import decode_event


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
            code=self.error.code,
            exit_code=self.error.exit_code,
            may_be_billed=self.error.may_be_billed,
            payload=self.error.payload,
        )
        raise error


# Made with the module, not in the threads that use it: see `runs.recipe.decode_recipe`.
_read = msgspec.json.Decoder(StepOutcome)


def encode_outcome(outcome: StepOutcome) -> str:
    return msgspec.json.encode(outcome).decode()


def decode_outcome(text: str) -> StepOutcome:
    """Return the outcome, also in earlier releases' format. Raises `msgspec.MsgspecError`."""
    try:
        return _read.decode(text)
    except msgspec.ValidationError:
        earlier = msgspec.json.decode(text, type=_EarlierOutcome)
    return StepOutcome(earlier.ended_at, earlier.duration_s, earlier.events, earlier.output.as_output())


class _EarlierOutcome(msgspec.Struct):
    ended_at: float
    duration_s: float
    events: tuple[tuple[str, str], ...]
    output: EarlierOutput
