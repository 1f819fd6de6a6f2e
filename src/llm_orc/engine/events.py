"""The events of a run. Every view, record and result reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, Protocol

from llm_orc.agents.budgets.ceilings import Limited
from llm_orc.agents.choice import NamedModel
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.agents.tool_log.actions import ToolBegun, ToolEnded, ToolTurn
from llm_orc.auth.access import Access
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.parts import FileRef

SkipReason = Literal["dependency", "condition"]
RunStatus = Literal["completed", "completed_with_errors", "failed", "waiting"]
"""`waiting`: a person is asked; everything that does not need their answer has ended."""


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as data: an `LlmOrcError` without its traceback."""

    code: str
    message: str
    hint: str | None = None
    exit_code: int = 1
    may_be_billed: bool = False
    resets_at: float | None = None  # of a plan's limit, in Unix seconds, if the provider said so
    payload: JsonValue = None  # what a program wrote along with its failure


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run, or another attempt of it, starts. Agents within those in `agents` are known when they start.

    `limits` says what is limited: then each attempt is an event, with its possible cost if that is limited.
    `resumed` lists the agents that have answered in an earlier attempt of the same run. With `forked_from`, the
    answers kept from that run follow: agents that finish and never started here.
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
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    named_models: Mapping[str, NamedModel] = field(default_factory=dict)  # by agent: in place of the ensemble's
    files: tuple[FileRef, ...] = ()  # those that came with the task


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt that may cost `most_usd`, and take `most_tokens`, is about to be sent.

    `number` is its number in the run. A maximum that no limit counts is 0.
    """

    at: float
    agent: AgentPath
    number: int
    most_usd: float
    most_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AttemptSettled:
    """The attempt has ended and counts so much against the run's limits: what it took, or its maximum if unknown.

    `number` 0: an attempt of an earlier process, which had no such limit: of tokens if `counts_tokens` is not 0,
    else of cost.
    """

    at: float
    agent: AgentPath
    number: int
    counts_usd: float
    counts_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """The agent starts. `kind` is that of its work.

    `without` are agents that it needed and that have not ended: whatever they still say is late for it.
    """

    at: float
    agent: AgentPath
    kind: str
    without: tuple[AgentPath, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelChosen:
    """A model is about to be called over this access: first, or again after a turn that asked for tools."""

    at: float
    agent: AgentPath
    model: str
    access: Access


@dataclass(frozen=True, slots=True)
class AgentDelta:
    """A piece of the answer: provisional, never recorded."""

    agent: AgentPath
    text: str


@dataclass(frozen=True, slots=True)
class ModelRetrying:
    """Attempt number `attempt` starts in `delay_s`; the text streamed so far is void."""

    at: float
    agent: AgentPath
    attempt: int
    delay_s: float
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class AnswerRejected:
    """A model's answer, which took `call`, is not what was asked for; the text streamed so far is void.

    Attempt number `attempt` follows, which sends it back with what is wrong; 0: none does, and the agent fails.
    """

    at: float
    agent: AgentPath
    attempt: int
    call: ModelCall
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class ToolsAsked:
    """The agent's model asks for tools before it answers; the text streamed so far is no answer."""

    at: float
    agent: AgentPath
    turn: ToolTurn


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A call of a tool is about to be made."""

    at: float
    agent: AgentPath
    tool: ToolBegun


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A call of a tool has ended, or was refused."""

    at: float
    agent: AgentPath
    tool: ToolEnded


@dataclass(frozen=True, slots=True)
class ModelSwitched:
    """Another model or access takes over, as the configuration allows; text streamed so far is void."""

    at: float
    agent: AgentPath
    model: str
    access: Access
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class PlanWaitStarted:
    """The plan that would pay is used up, and the agent waits: it calls nothing before `until`.

    `is_told`: the provider said that the plan resets then; otherwise it is called again then, to see. `model`
    None: all models of the plan are used up. Text streamed so far is void.
    """

    at: float
    agent: AgentPath
    access: Access
    model: str | None
    until: float
    is_told: bool
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class PlanWaitEnded:
    """The agent calls again."""

    at: float
    agent: AgentPath


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """The agent asks a person: once in its run, whatever processes carry it out, unless the message changes.

    `choices` empty: they answer in their own words. Until `deadline` (Unix seconds) they may; then `otherwise` is
    the answer, or the agent fails if that is None.
    """

    at: float
    agent: AgentPath
    message: str
    choices: tuple[str, ...]
    deadline: float | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalAnswered:
    """A person has answered, perhaps in another process: see `agents.people.question.Answer`."""

    at: float
    agent: AgentPath
    choice: str | None
    text: str | None
    by: str


@dataclass(frozen=True, slots=True)
class ItemsStarted:
    """The agent runs once for each of `total` items, at its path with their numbers."""

    at: float
    agent: AgentPath
    total: int


@dataclass(frozen=True, slots=True)
class RoundStarted:
    """The agent runs others in rounds: round `number` of at most `total` starts, at its path with that number."""

    at: float
    agent: AgentPath
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class AgentNotice:
    """Something that the user should know: turns left out of a conversation that no longer fits."""

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
    """The agent has no answer, and no further attempt or fallback."""

    at: float
    agent: AgentPath
    duration_s: float
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class AgentSkipped:
    """Not run. `dependency`: the agents at the paths in `because` gave no answer, which is an error of theirs.

    `condition`: its condition is false, or it only waits for agents that were left out so: those in `because`.
    """

    at: float
    agent: AgentPath
    because: tuple[str, ...]
    reason: SkipReason = "dependency"


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Every agent has ended, or waits for a person or for an agent that does (`waiting`).

    `fails_because`: the run fails by what its ensemble says of its answers (`fails_when`), although it completed:
    the condition that holds, or why it can't be decided. Empty: it doesn't.
    """

    at: float
    status: RunStatus
    duration_s: float
    fails_because: str = ""


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run ended before its agents did, and their answers are kept: Ctrl-C, a time limit."""

    at: float
    error: ErrorInfo


RecordedEvent = (
    RunStarted
    | AttemptStarted
    | AttemptSettled
    | AgentStarted
    | ModelChosen
    | ModelRetrying
    | AnswerRejected
    | ToolsAsked
    | ToolStarted
    | ToolFinished
    | ModelSwitched
    | PlanWaitStarted
    | PlanWaitEnded
    | ApprovalAsked
    | ApprovalAnswered
    | ItemsStarted
    | RoundStarted
    | AgentNotice
    | AgentFinished
    | AgentFailed
    | AgentSkipped
    | RunFinished
    | RunStopped
)
RunEvent = RecordedEvent | AgentDelta
ToolEvent = ToolsAsked | ToolStarted | ToolFinished


class EventSink(Protocol):
    """Receives the engine's events, in order. A sink only passes on durable events, except deltas."""

    def post(self, event: RecordedEvent) -> None:
        """Take the event; soon it becomes durable, and is then shown."""
        ...

    async def commit(self, event: RecordedEvent) -> None:
        """Take the event and return when it is durable and shown."""
        ...

    def delta(self, event: AgentDelta) -> None:
        """Show the event after all those taken before it; it is not recorded."""
        ...
