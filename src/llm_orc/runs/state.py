"""Fold events into the state of a run and, at its end, its result. Pure: no file, no clock."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, assert_never

from llm_orc.agents.output import AgentOutput, ItemCounts, ModelCall, cost_of, usage_of
from llm_orc.agents.path import AgentPath, above, in_tree_order, is_top, item_of, list_of
from llm_orc.auth.access import Access
from llm_orc.dataclass import dataclass
from llm_orc.engine.before import Before, LateAnswers, OpenActions, SettledRounds
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AgentStarted,
    AnswerRejected,
    ApprovalAnswered,
    ApprovalAsked,
    AttemptSettled,
    AttemptStarted,
    ErrorInfo,
    ItemsStarted,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RoundStarted,
    RunFinished,
    RunStarted,
    RunStopped,
    ToolFinished,
    ToolsAsked,
    ToolStarted,
)
from llm_orc.runs.costs import CallsBefore, CostsSoFar
from llm_orc.runs.results import AgentResult, AgentStatus, Reason, RunResult, run_status
from llm_orc.runs.tools.used import ToolsUsed

if TYPE_CHECKING:
    from llm_orc.engine.events import RunEvent

AgentPhase = Literal[
    "waiting",  # for its turn
    "running",
    "retrying",
    "waiting_for_plan",
    "waiting_for_answer",
    "completed",
    "failed",
    "skipped",
]


@dataclass(slots=True)
class AgentState:
    """The state of one agent. `streamed` is the provisional text of the present attempt."""

    name: str  # its path in the run
    phase: AgentPhase = "waiting"
    kind: str = "model"
    model: str | None = None
    access: Access | None = None
    started_at: float | None = None
    duration_s: float | None = None
    attempts: int = 0
    streamed: list[str] = field(default_factory=list)
    output: AgentOutput | None = None
    calls: tuple[ModelCall, ...] = ()  # all that were paid for, once it has answered
    error: ErrorInfo | None = None
    because: tuple[str, ...] = ()
    reason: Reason | None = None
    switched_from: list[ErrorInfo] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    is_kept: bool = False  # its answer is from the run that this one was forked from
    retries_at: float = 0.0  # when the next attempt starts, in Unix seconds, if it is retrying
    round: RoundStarted | None = None  # that it is in, if it runs others in rounds
    items: ItemCounts | None = None  # so far, if it runs once for each of several
    plan_wait: PlanWaitStarted | None = None  # what it waits for, or waited for when its process ended

    def known_limit(self) -> PlanWaitStarted | None:
        """Return what the next attempt of the run has to know, even if it is killed before it says so again."""
        error = self.error
        if self.plan_wait is not None or error is None or error.resets_at is None or self.access is None:
            return self.plan_wait
        path = AgentPath(self.name)
        return PlanWaitStarted(0.0, path, self.access, self.model, error.resets_at, is_told=True, error=error)

    def choose(self, model: str, access: Access) -> None:
        """It calls this model over this access now."""
        self.model, self.access = model, access
        if self.plan_wait is not None and self.plan_wait.access == access:
            self.plan_wait = None

    def wait_for_plan(self, event: PlanWaitStarted | PlanWaitEnded) -> None:
        if isinstance(event, PlanWaitEnded):
            self.phase, self.plan_wait, self.error = "running", None, None
            return
        self.phase, self.plan_wait, self.error = "waiting_for_plan", event, event.error
        self.access, self.model = event.access, event.model or self.model
        self.streamed.clear()

    def sent_back(self, event: AnswerRejected) -> None:
        """Its answer was not accepted."""
        self.error = event.error
        self.attempts += event.attempt > 0
        self.streamed.clear()


class RunState:
    """The state of a run after the events so far. Feed it with `apply`, in order."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.agents: dict[str, AgentState] = {}
        self.finished: RunFinished | None = None
        self.stopped: RunStopped | None = None
        self.last_at: float = 0.0
        self.costs = CostsSoFar()
        self.late = LateAnswers()
        self.settled = SettledRounds()
        self.questions: dict[str, ApprovalAsked] = {}  # by agent, what a person was asked, in all attempts
        self.answers: dict[str, ApprovalAnswered] = {}  # to these questions
        self.asked_in_vain: set[str] = set()  # agents that failed without an answer: they ask again
        self.tools = ToolsUsed()
        self.actions = OpenActions()
        self.calls_before = CallsBefore()

    @property
    def open_questions(self) -> dict[str, ApprovalAsked]:
        """The questions that are neither answered nor overdue, and still matter, by agent."""
        ended = {path for path, agent in self.agents.items() if agent.phase in {"completed", "failed", "skipped"}}
        return {
            path: asked
            for path, asked in self.questions.items()
            if path not in self.answers and ended.isdisjoint((path, *above(AgentPath(path))))
        }

    def apply(self, event: RunEvent) -> None:
        if isinstance(event, AgentDelta):
            self._agent(event.agent).streamed.append(event.text)
            return
        self.last_at = event.at
        self.costs.apply(event)
        self.calls_before.apply(event)
        self.settled.apply(event)
        self.tools.apply(event)
        self.actions.apply(event)
        match event:
            case AttemptStarted() | AttemptSettled() | ToolStarted() | ToolFinished():
                pass
            case RunStarted():
                self._start(event)
            case RunFinished():
                self.finished = event
            case RunStopped():
                self.stopped = event
            case PlanWaitStarted() | PlanWaitEnded():
                self._agent(event.agent).wait_for_plan(event)
            case ApprovalAsked() | ApprovalAnswered():
                self._approval_event(event)
            case ItemsStarted() | RoundStarted():
                self._repeats(event)
            case AnswerRejected() | ToolsAsked():
                self._goes_on(event)
            case _:
                self._count_item(event)
                self._agent_event(self._agent(event.agent), event)

    def _goes_on(self, event: AnswerRejected | ToolsAsked) -> None:
        """A model has answered, and is called again after it."""
        agent = self._agent(event.agent)
        if isinstance(event, AnswerRejected):
            agent.sent_back(event)
        agent.streamed.clear()

    def _approval_event(self, event: ApprovalAsked | ApprovalAnswered) -> None:
        if isinstance(event, ApprovalAnswered):
            self.answers[event.agent] = event
            return
        self.questions[event.agent] = event
        self.asked_in_vain.discard(event.agent)
        self.answers.pop(event.agent, None)
        self._agent(event.agent).phase = "waiting_for_answer"

    def _repeats(self, event: ItemsStarted | RoundStarted) -> None:
        """Some items may have an answer from before."""
        if isinstance(event, RoundStarted):
            self._agent(event.agent).round = event
            return
        paths = (item_of(event.agent, i) for i in range(event.total))
        known = sum((agent := self.agents.get(path)) is not None and agent.output is not None for path in paths)
        self._agent(event.agent).items = ItemCounts(event.total, known)

    def _count_item(self, event: RunEvent) -> None:
        """Count an item of an agent that ends."""
        if not isinstance(event, AgentFinished | AgentFailed) or not event.agent.endswith("]"):
            return
        state = self.agents.get(list_of(event.agent))
        if state is not None and (items := state.items) is not None:
            failed = isinstance(event, AgentFailed)
            answered = failed and self._agent(event.agent).output is not None  # its file can't be written
            completed = items.completed - answered + (not failed)
            state.items = ItemCounts(items.total, completed, items.failed + failed)

    def _start(self, event: RunStarted) -> None:
        """Start, or continue with stored answers: of agents within others, those with one, or that are settled."""
        if self.started is None:
            self.started = event
        self.finished = self.stopped = None
        kept = {*event.resumed, *self.settled.ends}
        for path in [path for path in self.agents if path not in kept]:
            if is_top(path):
                self.agents[path] = AgentState(path, plan_wait=self.agents[path].known_limit())
            else:
                del self.agents[path]
        for path in event.agents:
            self._agent(path)
        for path in kept:
            if (agent := self._agent(path)).output is not None:  # a file that could not be written now is
                agent.phase, agent.error = "completed", None

    def _agent(self, path: str) -> AgentState:
        """Return the state of the agent at `path`, creating it if needed."""
        state = self.agents.get(path)
        if state is None:
            state = self.agents[path] = AgentState(path)
        return state

    def _agent_event(
        self,
        state: AgentState,
        event: AgentStarted
        | ModelChosen
        | ModelRetrying
        | ModelSwitched
        | AgentNotice
        | AgentFinished
        | AgentFailed
        | AgentSkipped,
    ) -> None:
        match event:
            case AgentStarted():
                is_asked = event.agent in self.questions and event.agent not in self.answers
                state.phase = "waiting_for_answer" if is_asked else "running"
                state.kind = event.kind
                state.started_at, state.attempts = event.at, 1
                self.late.apply(event)
            case ModelChosen():
                state.choose(event.model, event.access)
            case ModelRetrying():
                state.phase = "retrying"
                state.attempts += 1
                state.error = event.error
                state.retries_at = event.at + event.delay_s
                state.streamed.clear()
            case ModelSwitched():
                state.phase = "running"
                state.choose(event.model, event.access)
                state.attempts += 1
                state.switched_from.append(event.error)
                state.streamed.clear()
            case AgentNotice():
                state.notices.append(event.message)
            case AgentFinished():
                state.phase, state.output, state.error, state.plan_wait = "completed", event.output, None, None
                state.calls = self.calls_before.and_of(event.agent, event.output)
                state.is_kept = (
                    state.started_at is None and self.started is not None and bool(self.started.forked_from)
                )
                if (last := event.output.last) is not None:
                    state.model, state.access = last.model, last.access
                state.duration_s = event.duration_s
                state.streamed.clear()
            case AgentFailed():
                self._fail(state, event)
            case AgentSkipped():
                state.phase, state.because, state.reason = "skipped", event.because, event.reason
            case _:
                assert_never(event)

    def _fail(self, state: AgentState, event: AgentFailed) -> None:
        state.phase, state.error, state.duration_s = "failed", event.error, event.duration_s
        state.streamed.clear()
        if event.agent in self.questions and event.agent not in self.answers:
            self.asked_in_vain.add(event.agent)

    @property
    def outputs(self) -> dict[str, AgentOutput]:
        """The existing answers, by agent, which a resumed run need not request again."""
        return {name: a.output for name, a in self.agents.items() if a.output is not None}

    @property
    def before(self) -> Before:
        """What a resumed run keeps to beside the answers."""
        return Before(self.late.without, self.settled.ends, self.actions.by_agent)

    @property
    def failed(self) -> frozenset[str]:
        """The agents that failed; one that has an answer failed to write it to its file."""
        return frozenset(path for path, agent in self.agents.items() if agent.phase == "failed")

    @property
    def failed_items(self) -> list[str]:
        """The items that failed of agents that have answered without them."""
        return [
            path
            for path, agent in self.agents.items()
            if agent.phase == "failed"
            and agent.output is None
            and (around := self.agents.get(list_of(path))) is not None
            and around.output is not None
            and around.output.items is not None
        ]

    @property
    def plan_waits(self) -> list[PlanWaitStarted]:
        """What agents wait for, or waited for when their process ended."""
        return [agent.plan_wait for agent in self.agents.values() if agent.plan_wait is not None]

    @property
    def own_agents(self) -> list[AgentState]:
        """The agents of the ensemble itself."""
        return [agent for path, agent in self.agents.items() if is_top(path)]

    @property
    def finished_agents(self) -> int:
        """How many agents of the ensemble itself have an answer."""
        return sum(agent.output is not None for agent in self.own_agents)

    def result(self, *, recorded: bool = True) -> RunResult:
        """Return the result so far; an agent that has not ended counts as skipped. Needs a `RunStarted`."""
        if self.started is None:
            raise ValueError("no run has started")
        error = self.stopped.error if self.stopped else None
        waits = self.finished is not None and self.finished.status == "waiting"
        late_for = self.late.late_for(self.outputs)
        agents = tuple(
            self._agent_result(self.agents[path], error, late_for.get(path, ()), waits=waits)
            for path in in_tree_order(self.agents)
        )
        return RunResult(
            run_id=self.started.run_id,
            ensemble=self.started.ensemble,
            status=self.finished.status if self.finished else run_status(agents),
            task=self.started.task,
            agents=agents,
            started_at=self.started.at,
            duration_s=self.finished.duration_s if self.finished else self.last_at - self.started.at,
            sandbox=self.started.sandbox,
            recorded=recorded,
            error=error,
            conversation=self.started.conversation,
            forked_from=self.started.forked_from,
            unanswered=self.costs.unanswered,
            unanswered_on_plan=self.costs.unanswered_on_plan,
            counted_usd=self.costs.counted_usd if self.costs.counts_cost else None,
            counted_tokens=self.costs.counted_tokens if self.costs.counts_tokens else None,
            named_models=self.started.named_models,
            answered_by=self.started.answer or next(reversed(self.started.agents), ""),
            inputs=self.started.inputs,
            files=self.started.files,
            fails_because=self.finished.fails_because if self.finished else "",
        )

    def _agent_result(
        self, state: AgentState, stopped: ErrorInfo | None, late_for: tuple[str, ...], *, waits: bool
    ) -> AgentResult:
        status: AgentStatus
        reason: Reason | None
        match state.phase:
            case "completed" | "failed" | "skipped":
                status, reason = state.phase, state.reason
                error = state.error
            case _ if waits:
                is_asked = state.name in self.questions
                status, error, reason = "waiting", None, "approval" if is_asked else "dependency"
            case _:
                status, error, reason = "skipped", stopped, "interrupted"
        output = state.output if status == "completed" else None
        last = output.last if output else None
        calls = self.calls_before.and_of(state.name, state.output)
        return AgentResult(
            name=state.name,
            status=status,
            response=output.text if output else None,
            model=output.model if output and output.cached else state.model,
            access=state.access,
            usage=usage_of(calls),
            cost_usd=cost_of(calls) if calls or output else None,
            stop_reason=last.stop_reason if last else None,
            stop_word=last.stop_word if last else "",
            started_at=state.started_at,
            duration_s=state.duration_s,
            attempts=state.attempts,
            error=error,
            because=state.because,
            switched_from=tuple(state.switched_from),
            notices=tuple(state.notices),
            is_kept=state.is_kept,
            data=output.data if output else None,
            calls=calls,
            validation=output.validation if output else "",
            evidence=output.evidence if output else None,
            waits_until=None if state.plan_wait is None else state.plan_wait.until,
            reason=reason,
            asked=self.questions.get(state.name),
            answered=self.answers.get(state.name),
            items=state.items if output is None else output.items,
            samples=output.samples if output else None,
            late_for=late_for,
            rounds=output.rounds if output else None,
            cached=output.cached if output else None,
            saved_as=output.saved_as if output else "",
            tools=self.tools.of(state.name),
        )
