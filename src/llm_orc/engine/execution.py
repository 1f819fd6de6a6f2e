"""The state of one running graph of agents: which agents wait for which, and which have answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.conditions.evaluate import is_true
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath, child_of
from llm_orc.agents.references.scope import Scope
from llm_orc.agents.turn import AgentTurn, CallAgent, ChildResult, ChildRunner
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AgentStarted,
    ErrorInfo,
    EventSink,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
)
from llm_orc.engine.gate import LeftOut, agents_in_condition, left_out_by
from llm_orc.engine.inputs import filled_in, prompt_for
from llm_orc.engine.plan import Plan
from llm_orc.engine.slots import Slots
from llm_orc.engine.surprises import as_error
from llm_orc.errors import ConditionUndecided, LlmOrcError, PlanLimitReached
from llm_orc.providers.dialects.endings import note_for_readers

if TYPE_CHECKING:
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.auth.access import Access
    from llm_orc.engine.events import RunStatus
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.limits.plans import UsedUp


class Clock(Protocol):
    """`now` is Unix seconds, for people; `monotonic` is for durations."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Shared:
    """What a run and all that runs within its agents have in common. `done` has answers by path.

    `passes` are exceptions that are no agent's failure, but of what carries the whole run.
    """

    call: CallAgent
    sink: EventSink
    clock: Clock
    slots: Slots
    child_runs: Callable[[Mapping[str, Plan], Shared], ChildRunner]
    done: Mapping[str, AgentOutput] = field(default_factory=dict)
    passes: type[Exception] | tuple[type[Exception], ...] = ()
    run_id: str = ""
    is_rehearsal: bool = False


def error_info(error: LlmOrcError) -> ErrorInfo:
    resets_at = error.resets_at if isinstance(error, PlanLimitReached) else None
    return ErrorInfo(error.code, error.message, error.hint, error.exit_code, error.may_be_billed, resets_at)


def plan_wait_started(for_plan: UsedUp, agent: AgentPath, at: float) -> PlanWaitStarted:
    return PlanWaitStarted(
        at,
        agent,
        for_plan.access,
        for_plan.model,
        for_plan.until,
        for_plan.is_told,
        error_info(for_plan.refusal()),
    )


class Execution:
    """One graph of agents that runs; those below `within` are within another agent."""

    def __init__(
        self,
        plan: Plan,
        task: str,
        shared: Shared,
        within: AgentPath | None = None,
        *,
        inputs: Mapping[str, JsonValue],
    ) -> None:
        self._plan, self._task, self._shared = plan, task, shared
        self._sink, self._clock, self._slots = shared.sink, shared.clock, shared.slots
        self._specs = {spec.name: spec for spec in plan.order}
        if within is None:
            self._paths = {name: AgentPath(name) for name in self._specs}
        else:
            self._paths = {name: child_of(within, name) for name in self._specs}
        self.outputs: dict[str, AgentOutput] = {}
        self._notes: dict[str, str] = {}  # notes about answers
        self._failures: dict[str, str] = {}
        self._left_out: dict[str, LeftOut] = {}  # by their conditions, which is no failure
        self._open = set(self._specs)  # those that have not ended
        self._scope = Scope(
            plan.known,
            task,
            inputs,
            shared.run_id,
            self.outputs,
            self._notes,
            skipped=self._left_out,
            pending=self._open,
            is_rehearsal=shared.is_rehearsal,
        )
        self._done = [name for name, path in self._paths.items() if path in shared.done]
        for name in self._done:
            self._keep(name, shared.done[self._paths[name]])
        self._missing = {name: len(needs) for name, needs in plan.needs.items()}
        self._answered = dict.fromkeys(plan.needs, 0)  # of those that each agent needs
        self._started: set[str] = set()  # those that start before all that they need have ended
        self._left = len(self._specs) - len(self._done)
        self._all_ended = asyncio.Event()  # those who wait for a slot are no tasks yet
        self._group: asyncio.TaskGroup
        self._is_over = False

    def _keep(self, name: str, output: AgentOutput) -> None:
        self.outputs[name] = output
        self._open.discard(name)
        last = output.last
        if last is not None and (note := note_for_readers(last.stop_reason, last.stop_word)):
            self._notes[name] = note

    @property
    def status(self) -> RunStatus:
        if len(self.outputs) + len(self._left_out) == len(self._specs):
            return "completed"
        return "completed_with_errors" if self.outputs else "failed"

    def fails_because(self, condition: str | None) -> str:
        """Return why a run that has completed fails by this condition; empty: it doesn't.

        A condition that can't be decided counts as if it held: a check that was not made is not passed.
        """
        if condition is None or self.status != "completed":
            return ""
        try:
            return f"`{condition.strip()}`" if is_true(condition, self._scope) else ""
        except ConditionUndecided as e:
            return "" if self._scope.is_rehearsal else e.message

    @property
    def result(self) -> ChildResult:
        answer = self.outputs.get(self._plan.answer)
        return ChildResult(self.outputs, answer, self.status == "completed", self._failures)

    async def run(self) -> None:
        """Run all agents that are not done. Raises what `passes` lets through."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for spec in self._plan.order:
                    if not self._plan.needs[spec.name] and spec.name not in self.outputs:
                        self._slots.enqueue(self, spec)
                for name in self._done:
                    self._release(name)
                self._slots.start_ready()
                if self._left:
                    await self._all_ended.wait()
        finally:
            self._is_over = True

    def _ended(self, name: str) -> None:
        self._left -= 1
        self._open.discard(name)
        if not self._left:
            self._all_ended.set()
        self._release(name)

    def _release(self, name: str) -> None:
        """`name` has ended: agents that only waited for it may start."""
        for dependant in self._plan.dependants[name]:
            spec = self._specs[dependant]
            self._missing[dependant] -= 1
            self._answered[dependant] += name in self.outputs
            if dependant in self.outputs or dependant in self._started:
                continue
            is_enough = isinstance(spec.requires, int) and self._answered[dependant] >= spec.requires
            is_enough = is_enough and self._open.isdisjoint(agents_in_condition(spec, self._scope))
            if is_enough:
                self._started.add(dependant)
            if is_enough or self._missing[dependant] == 0:
                self._slots.enqueue(self, spec)

    def start(self, spec: AgentSpec) -> bool:
        """See `engine.slots.Starts`."""
        if self._is_over:
            return False
        path = self._paths[spec.name]
        try:
            left_out = left_out_by(spec, self._plan.needs[spec.name], self._scope)
        except Exception as e:  # noqa: BLE001 - the seam: an error in one agent's condition ends only that agent
            error = as_error(e)
            self._failures[spec.name] = error.message
            self._sink.post(AgentFailed(self._clock.now(), path, 0.0, error_info(error)))
        else:
            if left_out is None:
                self._group.create_task(self._run_agent(spec, path))
                return True
            if left_out.reason == "condition":
                self._left_out[spec.name] = left_out
            because = tuple(self._paths[name] for name in left_out.because)
            self._sink.post(AgentSkipped(self._clock.now(), path, because, left_out.reason))
        self._ended(spec.name)
        return False

    async def _run_agent(self, spec: AgentSpec, path: AgentPath) -> None:
        began = self._clock.monotonic()
        try:
            await self._finish_agent(spec, path, began)
        except LlmOrcError as e:
            await self._fail_agent(spec, path, began, e)
        except self._shared.passes:
            raise
        except Exception as e:  # noqa: BLE001 - the seam: an error in one agent ends only that agent
            await self._fail_agent(spec, path, began, as_error(e))
        except asyncio.CancelledError as e:
            if self._shared.passes or _is_cancelled():
                raise
            await self._fail_agent(spec, path, began, as_error(e))  # raised by the agent: the run goes on
        finally:
            self._slots.release()
        if _is_cancelled():
            return  # nothing starts any more
        self._ended(spec.name)
        self._slots.start_ready()

    async def _finish_agent(self, spec: AgentSpec, path: AgentPath, began: float) -> None:
        self._sink.post(AgentStarted(self._clock.now(), path, spec.work.kind))
        texts = filled_in(spec, self._scope)
        turn = AgentTurn(
            path,
            spec,
            prompt_for(spec, texts, self._scope),
            _Observer(path, self._sink, self._clock),
            children=self._children(spec.name),
            idle=self._slots.lent,
            texts=texts,
            scope=self._scope,
        )
        output = await self._shared.call(turn)
        duration_s = self._clock.monotonic() - began
        await self._sink.commit(AgentFinished(self._clock.now(), path, duration_s, output))
        self._keep(spec.name, output)

    def _children(self, name: str) -> ChildRunner | None:
        plans = self._plan.children.get(name)
        return None if plans is None else self._shared.child_runs(plans, self._shared)

    async def _fail_agent(self, spec: AgentSpec, path: AgentPath, began: float, error: LlmOrcError) -> None:
        self._failures[spec.name] = error.message
        duration_s = self._clock.monotonic() - began
        await self._sink.commit(AgentFailed(self._clock.now(), path, duration_s, error_info(error)))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Observer:
    """Turns the callbacks of an agent's call into events. One for each agent."""

    __slots__ = ("agent", "clock", "sink")

    def __init__(self, agent: AgentPath, sink: EventSink, clock: Clock) -> None:
        self.agent, self.sink, self.clock = agent, sink, clock

    def calling(self, model: str, access: Access) -> None:
        self.sink.post(ModelChosen(self.clock.now(), self.agent, model, access))

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self.sink.post(ModelSwitched(self.clock.now(), self.agent, model, access, error_info(because)))

    def notice(self, message: str) -> None:
        self.sink.post(AgentNotice(self.clock.now(), self.agent, message))

    def text(self, piece: str) -> None:
        self.sink.delta(AgentDelta(self.agent, piece))

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self.sink.post(ModelRetrying(self.clock.now(), self.agent, attempt, delay_s, error_info(error)))

    def waiting(self, for_plan: UsedUp) -> None:
        self.sink.post(plan_wait_started(for_plan, self.agent, self.clock.now()))

    def wait_over(self) -> None:
        self.sink.post(PlanWaitEnded(self.clock.now(), self.agent))
