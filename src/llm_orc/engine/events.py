"""The facts that can happen in a run. Every view, record and result is a reader of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access

Limited = Literal["cost", "calls"]
RunStatus = Literal["completed", "completed_with_errors", "failed"]


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as data: what `LlmOrcError` says, without its traceback."""

    code: str
    message: str
    hint: str | None = None
    exit_code: int = 1
    may_be_billed: bool = False


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run begins, or another try of it. Agents that run within those in `agents` are known when they start.

    `limits` says what is limited: then each try is an event, with what it may cost where that is limited.
    `resumed` lists the agents whose answers an earlier try of the same run already has. With `forked_from`, the
    answers kept from that run come next: agents that finish and never started here.
    """

    at: float  # Unix seconds, like every `at`
    run_id: str
    ensemble: str
    agents: tuple[str, ...]
    task: str
    sandbox: bool = False
    resumed: tuple[str, ...] = ()
    conversation: str | None = None
    forked_from: str | None = None
    limits: tuple[Limited, ...] = ()
    answer: str = ""  # the agent whose answer is that of the ensemble; earlier releases did not say


@dataclass(frozen=True, slots=True)
class TryStarted:
    """A try is about to be sent that may cost `most_usd`: durable before it is. `number` is its own in the run."""

    at: float
    agent: AgentPath
    number: int
    most_usd: float


@dataclass(frozen=True, slots=True)
class TrySettled:
    """The try has ended and counts `counts_usd` against the run's limit: its cost, or its most where that is open.

    `number` 0: one of an earlier process, which had no limit and so has kept no try.
    """

    at: float
    agent: AgentPath
    number: int
    counts_usd: float


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """The agent's turn has come. `kind` is that of its work."""

    at: float
    agent: AgentPath
    kind: str


@dataclass(frozen=True, slots=True)
class ModelChosen:
    """A model is about to be asked for the first time, over this access."""

    at: float
    agent: AgentPath
    model: str
    access: Access


@dataclass(frozen=True, slots=True)
class AgentDelta:
    """A piece of the answer as it comes: provisional, never journaled."""

    agent: AgentPath
    text: str


@dataclass(frozen=True, slots=True)
class ModelRetrying:
    """Try number `attempt` starts in `delay_s`; the text streamed so far is void."""

    at: float
    agent: AgentPath
    attempt: int
    delay_s: float
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class ModelSwitched:
    """Another model or way in takes over, as the configuration allows; text streamed so far is void."""

    at: float
    agent: AgentPath
    model: str
    access: Access
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class AgentNotice:
    """Something that the agent's person should know: turns left out of a conversation that no longer fits."""

    at: float
    agent: AgentPath
    message: str


@dataclass(frozen=True, slots=True)
class AgentFinished:
    """The agent has answered."""

    at: float
    agent: AgentPath
    duration_s: float
    output: AgentOutput


@dataclass(frozen=True, slots=True)
class AgentFailed:
    """The agent has no answer, and no further try or fallback."""

    at: float
    agent: AgentPath
    duration_s: float
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class AgentSkipped:
    """Not run, because the agents at the paths in `because` gave no answer."""

    at: float
    agent: AgentPath
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Every agent has ended."""

    at: float
    status: RunStatus
    duration_s: float


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run ended before its agents did, with their answers kept: Ctrl-C, a time limit."""

    at: float
    error: ErrorInfo


RecordedEvent = (
    RunStarted
    | TryStarted
    | TrySettled
    | AgentStarted
    | ModelChosen
    | ModelRetrying
    | ModelSwitched
    | AgentNotice
    | AgentFinished
    | AgentFailed
    | AgentSkipped
    | RunFinished
    | RunStopped
)
RunEvent = RecordedEvent | AgentDelta


class EventSink(Protocol):
    """Where the engine puts events, in order. What a sink passes on is durable already, except deltas."""

    def post(self, event: RecordedEvent) -> None:
        """Take the event; it becomes durable, and is then shown, soon."""
        ...

    async def commit(self, event: RecordedEvent) -> None:
        """Take the event and return when it is durable and shown."""
        ...

    def delta(self, event: AgentDelta) -> None:
        """Show the event after all those taken before it; it is not kept."""
        ...
