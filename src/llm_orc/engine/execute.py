"""Run a plan: each agent starts the moment its own inputs are there; what happens goes to the sink as events."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.path import AgentPath
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AgentStarted,
    ErrorInfo,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    RunFinished,
    RunStarted,
    RunStopped,
)
from llm_orc.engine.inputs import prompt_for
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError, RunInterrupted, RunTimedOut
from llm_orc.providers.dialects.endings import note_for_readers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import CallAgent
    from llm_orc.auth.access import Access
    from llm_orc.engine.events import EventSink, Limited, RunStatus
    from llm_orc.engine.plan import Plan

_LAST_WORDS_S = 5.0  # how long a cancelled run may take to record that it was


class Clock(Protocol):
    """`now` is Unix seconds, for people; `monotonic` is for durations."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...


async def execute(
    plan: Plan,
    task: str,
    call: CallAgent,
    sink: EventSink,
    *,
    run_id: str,
    clock: Clock,
    max_concurrent: int,
    timeout_s: float | None = None,
    done: Mapping[str, AgentOutput] | None = None,
    sandbox: bool = False,
    conversation: str | None = None,
    limits: tuple[Limited, ...] = (),
    passes: type[Exception] | tuple[type[Exception], ...] = (),
) -> None:
    """Run all agents of `plan` that are not in `done`, at most `max_concurrent` at once.

    An agent that fails takes no other down: those that need it are skipped, or run with what there is where their
    `requires` says so. The last event is `RunFinished`, or `RunStopped` where `timeout_s` ended the run or the
    task was cancelled (the cancellation then goes on). Raises nothing of the agents' own: whatever an agent's work
    raises is that agent's failure, but for `passes`, which stand for what carries the whole run.
    """
    execution = _Execution(plan, task, call, sink, clock=clock, max_concurrent=max_concurrent, done=done or {})
    execution.passes = passes
    began = clock.monotonic()
    sink.post(
        RunStarted(
            clock.now(),
            run_id,
            plan.ensemble,
            plan.names,
            task,
            sandbox,
            resumed=tuple(execution.done),
            conversation=conversation,
            limits=limits,
        )
    )
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            await execution.run()
    except TimeoutError:
        if not limit.expired():
            raise
        error: LlmOrcError = RunTimedOut(f"the run took longer than its limit of {timeout_s:g} s")
        await sink.commit(RunStopped(clock.now(), error_info(error)))
    except asyncio.CancelledError:
        error = RunInterrupted("the run was interrupted")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await sink.commit(RunStopped(clock.now(), error_info(error)))
        raise
    else:
        await sink.commit(RunFinished(clock.now(), execution.status, clock.monotonic() - began))


def error_info(error: LlmOrcError) -> ErrorInfo:
    return ErrorInfo(error.code, error.message, error.hint, error.exit_code, error.may_be_billed)


class _Execution:
    """The moving parts of one run: who waits for whom, and how many are under way."""

    def __init__(
        self,
        plan: Plan,
        task: str,
        call: CallAgent,
        sink: EventSink,
        *,
        clock: Clock,
        max_concurrent: int,
        done: Mapping[str, AgentOutput],
    ) -> None:
        self.plan, self.task, self.call, self.sink, self.clock = plan, task, call, sink, clock
        self.specs = {spec.name: spec for spec in plan.order}
        self.done = {name: output for name, output in done.items() if name in self.specs}
        self.answers: dict[str, str] = {}
        self.notes: dict[str, str] = {}  # what is to be said of an answer
        for name, output in self.done.items():
            self._keep(name, output)
        self.missing = {spec.name: len(spec.depends_on) for spec in plan.order}
        self.passes: type[Exception] | tuple[type[Exception], ...] = ()
        self.ready: deque[AgentSpec] = deque()
        self.free = max_concurrent
        self.group: asyncio.TaskGroup

    def _keep(self, name: str, output: AgentOutput) -> None:
        self.answers[name] = output.text
        last = output.last
        if last is not None and (note := note_for_readers(last.stop_reason, last.stop_word)):
            self.notes[name] = note

    @property
    def status(self) -> RunStatus:
        if len(self.answers) == len(self.specs):
            return "completed"
        return "completed_with_errors" if self.answers else "failed"

    async def run(self) -> None:
        async with asyncio.TaskGroup() as self.group:
            for spec in self.plan.order:
                if not spec.depends_on and spec.name not in self.done:
                    self.ready.append(spec)
            for name in self.done:
                self._release(name)
            self._start_ready()

    def _release(self, name: str) -> None:
        """`name` has ended: whoever waited for it alone may go."""
        for dependant in self.plan.dependants[name]:
            self.missing[dependant] -= 1
            if self.missing[dependant] == 0 and dependant not in self.done:
                self.ready.append(self.specs[dependant])

    def _start_ready(self) -> None:
        while self.ready and self.free > 0:
            spec = self.ready.popleft()
            if self._may_run(spec):
                self.free -= 1
                self.group.create_task(self._run_agent(spec))
            else:
                because = tuple(name for name in spec.depends_on if name not in self.answers)
                self.sink.post(AgentSkipped(self.clock.now(), AgentPath(spec.name), because))
                self._release(spec.name)

    def _may_run(self, spec: AgentSpec) -> bool:
        match spec.requires:
            case "all":
                return all(name in self.answers for name in spec.depends_on)
            case "any":
                return not spec.depends_on or any(name in self.answers for name in spec.depends_on)
            case "none":
                return True

    async def _run_agent(self, spec: AgentSpec) -> None:
        began = self.clock.monotonic()
        self.sink.post(AgentStarted(self.clock.now(), AgentPath(spec.name), spec.work.kind))
        try:
            await self._finish_agent(spec, began)
        except LlmOrcError as e:
            await self._fail_agent(spec, began, e)
        except self.passes:
            raise
        except Exception as e:  # noqa: BLE001 - the seam: a surprise of one agent ends nothing but itself
            await self._fail_agent(spec, began, as_error(e))
        except asyncio.CancelledError as e:
            if self.passes or _is_cancelled():
                raise
            await self._fail_agent(spec, began, as_error(e))  # of the agent's own making: nobody cancelled the run
        if _is_cancelled():
            return  # nothing begins any more
        self.free += 1
        self._release(spec.name)
        self._start_ready()

    async def _finish_agent(self, spec: AgentSpec, began: float) -> None:
        prompt = prompt_for(spec, self.task, self.answers, self.notes)
        path = AgentPath(spec.name)
        output = await self.call(AgentTurn(path, spec, prompt, _Observer(path, self.sink, self.clock)))
        duration_s = self.clock.monotonic() - began
        await self.sink.commit(AgentFinished(self.clock.now(), path, duration_s, output))
        self._keep(spec.name, output)

    async def _fail_agent(self, spec: AgentSpec, began: float, error: LlmOrcError) -> None:
        duration_s = self.clock.monotonic() - began
        await self.sink.commit(AgentFailed(self.clock.now(), AgentPath(spec.name), duration_s, error_info(error)))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Observer:
    """Turns what an agent's call tells us into events. One for each agent."""

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
