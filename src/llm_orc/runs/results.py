"""The result of a run and of each of its agents, and how programs, consoles and notebooks show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.output import CachedFrom, EvidenceCounts, ItemCounts, ModelCall, Rounds, SampleCounts
from llm_orc.agents.path import is_of_item, is_top
from llm_orc.auth.access import Access, Billing
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import ApprovalAnswered, ApprovalAsked, ErrorInfo, RunStatus
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Usage
from llm_orc.providers.parts import FileRef
from llm_orc.runs.spend import NOTHING_SPENT, Spend, spend_on, unanswered
from llm_orc.runs.tools.used import ToolUsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AgentStatus = Literal["completed", "failed", "skipped", "waiting"]
Reason = Literal["dependency", "condition", "interrupted", "approval"]
"""Why an agent was skipped: see `AgentSkipped`; `interrupted`: the run stopped before its turn, or during it.

Why it waits: `approval`: for a person's answer; `dependency`: for agents that do.
"""
WAITS = 6  # the exit code of a run that waits for a person

_LONGEST = 60  # characters of an answer


@dataclass(frozen=True, slots=True)
class AgentResult:
    """How one agent ended. `error` is set when it failed; `reason` and `because` say why it was skipped."""

    name: str  # its path in the run: the bare name for an agent of the ensemble itself
    status: AgentStatus
    response: str | None
    model: str | None
    access: Access | None
    usage: Usage
    cost_usd: float | None
    stop_reason: str | None
    started_at: float | None
    duration_s: float | None
    attempts: int
    error: ErrorInfo | None = None
    because: tuple[str, ...] = ()
    switched_from: tuple[ErrorInfo, ...] = ()
    notices: tuple[str, ...] = ()
    stop_word: str = ""  # the provider's own word, if `stop_reason` is `other`
    is_kept: bool = False  # its answer and cost are from the run that this one was forked from
    data: JsonValue | None = None  # its answer as data, if it is more than text
    calls: tuple[ModelCall, ...] = ()  # the answered calls; `usage` and `cost_usd` are their totals
    waits_until: float | None = None  # it waited for its plan when the run stopped: the reset, or the next look
    reason: Reason | None = None
    asked: ApprovalAsked | None = None  # what it asked a person
    answered: ApprovalAnswered | None = None  # their answer, which the run may not have gone on with yet
    items: ItemCounts | None = None  # if it ran once for each of several items
    samples: SampleCounts | None = None  # if it was asked several times
    saved_as: str = ""  # the file below the working directory that has its answer
    cached: CachedFrom | None = None  # its answer is from the cache, and has cost nothing
    late_for: tuple[str, ...] = ()  # agents that needed its answer, and had started without it
    rounds: Rounds | None = None  # how a loop ended
    validation: str = ""  # see `AgentOutput`
    evidence: EvidenceCounts | None = None  # if its quotes were checked
    tools: tuple[ToolUsed, ...] = ()  # what its model has asked for, in all attempts

    def __repr__(self) -> str:
        return brief_agent(self)

    def __str__(self) -> str:
        """Return its answer; without one, what `repr` says."""
        return repr(self) if self.response is None else self.response


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run. `error` says why it stopped early, if it did.

    `unanswered` attempts have no answer and may still be billed, `unanswered_on_plan` of them to a plan's credits.
    `counted_usd` is what counts against a limit of the run: known costs, and the maximum of unknown ones of
    metered models; None: no cost was limited. `counted_tokens` is the same of tokens.
    """

    run_id: str
    ensemble: str
    status: RunStatus
    task: str
    agents: tuple[AgentResult, ...]
    started_at: float
    duration_s: float
    sandbox: bool = False
    recorded: bool = True
    error: ErrorInfo | None = None
    conversation: str | None = None
    forked_from: str | None = None
    unanswered: int = 0
    counted_usd: float | None = None
    counted_tokens: int | None = None
    answered_by: str = ""  # the agent whose answer is that of the ensemble
    unanswered_on_plan: int = 0
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    files: tuple[FileRef, ...] = ()  # those that came with the task
    fails_because: str = ""  # why a completed run fails by its ensemble's `fails_when`
    named_models: Mapping[str, NamedModel] = field(default_factory=dict)  # by agent: in place of the ensemble's

    def __repr__(self) -> str:
        return brief_run(self)

    def __str__(self) -> str:
        """Return the answer; without one, what `repr` says."""
        return repr(self) if self.answer is None else self.answer

    def _repr_markdown_(self) -> str:
        """Show it in a notebook."""
        return markdown_of(self)

    def __getitem__(self, agent: str) -> AgentResult:
        """Return one agent's result by its name; raises KeyError."""
        for result in self.agents:
            if result.name == agent:
                return result
        raise KeyError(agent)

    @property
    def without_items(self) -> tuple[AgentResult, ...]:
        """The agents but for single items and samples, and what ran within these."""
        lists = {agent.name for agent in self.agents if agent.items is not None or agent.samples is not None}
        return tuple(agent for agent in self.agents if not lists or not is_of_item(agent.name, lists))

    @property
    def answer(self) -> str | None:
        """The ensemble's answer: of the agent that answers for it, see the key `answer`; None: it has none."""
        return next((agent.response for agent in self.agents if agent.name == self.answered_by), None)

    @property
    def waits_until(self) -> float | None:
        """When a plan that agents waited for may be called again, in Unix seconds; None: none waited."""
        return min((agent.waits_until for agent in self.agents if agent.waits_until is not None), default=None)

    @property
    def waiting(self) -> tuple[AgentResult, ...]:
        """The agents that wait for a person's answer."""
        return tuple(agent for agent in self.agents if agent.reason == "approval")

    @property
    def total(self) -> Spend:
        return spend(self.agents).plus(unanswered(self.unanswered))

    @property
    def by_billing(self) -> dict[str, Spend]:
        """The totals by who pays: keys are values of `Billing`, as far as they occur."""
        found = {str(a.access.billing): NOTHING_SPENT for a in self.agents if a.access and not a.is_kept}
        for agent in self.agents:
            for call in _own_calls(agent):
                source = str(call.access.billing)
                found[source] = found.get(source, NOTHING_SPENT).plus(spend_on((call,)))
        of_metered = self.unanswered - self.unanswered_on_plan
        for billing, attempts in ((Billing.PLAN_CREDITS, self.unanswered_on_plan), (Billing.METERED, of_metered)):
            if attempts:
                found[str(billing)] = found.get(billing, NOTHING_SPENT).plus(unanswered(attempts))
        return found

    @property
    def exit_code(self) -> int:
        """0 only if completed and not failed by `fails_when`; 6 if it waits for a person; the code of all failures
        if it is one, else 1.
        """
        if self.error is not None:
            return self.error.exit_code
        if self.status == "waiting":
            return WAITS
        if self.status == "completed":
            return 1 if self.fails_because else 0
        codes = {a.error.exit_code for a in self.agents if a.error is not None}
        return codes.pop() if self.status == "failed" and len(codes) == 1 else 1


def spend(agents: Iterable[AgentResult]) -> Spend:
    total = NOTHING_SPENT
    for agent in agents:
        total = total.plus(spend_on(_own_calls(agent)))
    return total


def _own_calls(agent: AgentResult) -> tuple[ModelCall, ...]:
    """Return the calls that this run has made itself, not the run that it was forked from."""
    return () if agent.is_kept else agent.calls


def run_status(agents: Iterable[AgentResult]) -> RunStatus:
    """`completed`: every agent but those that their conditions left out; `failed`: none of them."""
    statuses = {a.status for a in agents if a.reason != "condition"}
    if "waiting" in statuses:
        return "waiting"
    if statuses <= {"completed"}:
        return "completed"
    return "completed_with_errors" if "completed" in statuses else "failed"


def brief_run(result: RunResult) -> str:
    return _named(
        "RunResult",
        ensemble=result.ensemble,
        status=result.status,
        agents=len(result.agents),
        cost_usd=_rounded(result.total.cost_usd),
        run_id=result.run_id,
        **({"sandbox": True} if result.sandbox else {}),
        **({"error": _first_words(result.error.message)} if result.error else {}),
        answer=_first_words(result.answer),
    )


def brief_agent(result: AgentResult) -> str:
    return _named(
        "AgentResult",
        name=result.name,
        status=result.status,
        model=result.model,
        cost_usd=_rounded(result.cost_usd),
        **({"error": _first_words(result.error.message)} if result.error else {}),
        **({"because": result.because} if result.because else {}),
        response=_first_words(result.response),
    )


def markdown_of(result: RunResult) -> str:
    """Return the answer, or why there is none, and below it a line about the run."""
    lines = [result.answer] if result.answer is not None else [*_reasons(result)]
    total = result.total.cost_usd
    own = sum(is_top(agent.name) for agent in result.agents)
    facts = [result.ensemble, result.status, "1 agent" if own == 1 else f"{own} agents"]
    facts.append("cost unknown" if total is None else f"${total:.4f}")
    if result.sandbox:
        facts.append("sandbox: no model answered")
    return "\n\n".join([*lines, "---", f"*{' · '.join(facts)}* · `{result.run_id}`"])


def _reasons(result: RunResult) -> Iterator[str]:
    if result.error is not None:
        yield f"**No answer:** {result.error.message}"
    for agent in result.agents:
        if agent.error is not None and agent.error != result.error:
            yield f"**`{agent.name}`:** {agent.error.message}"


def _named(kind: str, /, **values: object) -> str:
    return f"{kind}({', '.join(f'{key}={value!r}' for key, value in values.items())})"


def _first_words(text: str | None) -> str | None:
    if text is None:
        return None
    words = " ".join(text[: 4 * _LONGEST].split())
    return words if len(words) <= _LONGEST and len(text) <= 4 * _LONGEST else f"{words[: _LONGEST - 1].rstrip()}…"


def _rounded(cost_usd: float | None) -> float | None:
    return None if cost_usd is None else round(cost_usd, 6)
