"""The state of one running graph of agents: which agents wait for which, and which have answered."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.conditions.evaluate import is_true
from llm_orc.agents.path import AgentPath, child_of
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.agents.references.scope import Scope
from llm_orc.agents.turn import NO_ROUND, ChildResult
from llm_orc.engine.agent_run import AgentRun, is_cancelled
from llm_orc.engine.events import AgentFailed, AgentSkipped
from llm_orc.engine.gate import LeftOut, Readiness, handles_failure, has_answered, left_out_by
from llm_orc.engine.inputs import STANDS_IN
from llm_orc.engine.observer import error_info, payload_of
from llm_orc.engine.surprises import as_error
from llm_orc.errors import ConditionUndecided, LlmOrcError
from llm_orc.providers.dialects.endings import note_for_readers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import RoundValues
    from llm_orc.engine.events import RunStatus
    from llm_orc.engine.plan import Plan
    from llm_orc.engine.shared import Shared
    from llm_orc.engine.slots import HeldSlot
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import FileRef


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
        of_round: RoundValues = NO_ROUND,
        files: tuple[FileRef, ...] = (),
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
        self._payloads: dict[str, JsonValue] = {}  # what programs wrote along with their failures
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
            payloads=self._payloads,
            pending=self._open,
            nested={
                name: next(iter(children.values())).ensemble
                for name, children in plan.children.items()
                if children and self._specs[name].samples is None
            },
            is_rehearsal=shared.is_rehearsal,
            local=of_round.local,
            last=of_round.last,
            around=of_round.around,
            task_files=files,
            files=shared.files,
        )
        self._done = [name for name, path in self._paths.items() if path in shared.done]
        for name in self._done:
            self._keep(name, shared.done[self._paths[name]])
        settled = shared.before.settled
        self._settled = [n for n, path in self._paths.items() if path in settled and n not in self.outputs]
        for name in self._settled:
            self._keep_settled(name, settled[self._paths[name]])
        self._readiness = Readiness(plan, self._scope, self._missed_before())
        self._timers: dict[str, asyncio.Task[None]] = {}  # by agents whose `within` is not over yet
        self._at_work = 0  # those that run or wait for a slot, who are no tasks yet
        self._all_ended = asyncio.Event()
        self.is_waiting = False  # one of them waits for a person, and so do all that need its answer
        self._group: asyncio.TaskGroup
        self._is_over = False

    def _missed_before(self) -> dict[str, frozenset[str]]:
        """Return which agents started without which others in an earlier attempt: their prompts stay the same."""
        without = self._shared.before.without
        return {
            name: frozenset(other for other in self._plan.needs[name] if self._paths[other] in without[path])
            for name, path in self._paths.items()
            if path in without
        }

    def _keep(self, name: str, output: AgentOutput) -> None:
        self.outputs[name] = output
        self._open.discard(name)
        if output.stands_in:
            self._notes[name] = STANDS_IN
        last = output.last
        if last is not None and (note := note_for_readers(last.stop_reason, last.stop_word)):
            self._notes[name] = note

    def _keep_settled(self, name: str, ended: AgentFailed | AgentSkipped) -> None:
        """Keep that it ended without an answer in an earlier attempt."""
        self._open.discard(name)
        if isinstance(ended, AgentFailed):
            self._failures[name] = ended.error.message
        elif ended.reason == "condition":
            self._left_out[name] = LeftOut(ended.reason)

    @property
    def status(self) -> RunStatus:
        if self.is_waiting:
            return "waiting"
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
        """The result of a graph within an agent: see `Plan.ends`."""
        ends = self._plan.ends
        answered = [name for name in ends if has_answered(name, self._scope)]
        has_failed = not answered and any(name not in self._left_out for name in ends)
        there = [self.outputs[name] for name in ends if name in self.outputs]
        answer = next((output for output in there if output.text.strip()), there[0] if there else None)
        is_complete = self.status == "completed"
        return ChildResult(
            self.outputs, answer, is_complete, self._failures, has_failed=has_failed, scope=self._scope
        )

    async def run(self) -> None:
        """Run all agents that are not done, but those that wait. Raises what `passes` lets through."""
        try:
            async with asyncio.TaskGroup() as self._group:
                try:
                    await self._run_all()
                finally:  # a group that ends its tasks takes no more, and others may call `start` meanwhile
                    self._is_over = True
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _run_all(self) -> None:
        for spec in self._readiness.at_first():
            self._enqueue(spec)
        for name in (*self._done, *self._settled):
            self._begin_times(name)
            self._release(name)
        self._slots.start_ready()
        self._look_for_the_end()
        await self._all_ended.wait()

    def _begin_times(self, started: str) -> None:
        for spec in self._readiness.timed_from(started):
            waits = asyncio.create_task(self._wait_at_most(spec), name=f"within of {spec.name}")
            self._timers[spec.name] = waits

    async def _wait_at_most(self, spec: AgentSpec) -> None:
        await self._clock.sleep(spec.within_s or 0.0)
        self._timers.pop(spec.name, None)
        if self._is_over:
            return
        if self._readiness.overdue(spec):
            self._enqueue(spec)
            self._slots.start_ready()
        self._look_for_the_end()

    def _enqueue(self, spec: AgentSpec) -> None:
        self._at_work += 1
        self._slots.enqueue(self, spec)

    def _ended(self, name: str) -> None:
        self._open.discard(name)
        self._release(name)
        self._at_rest()

    def _at_rest(self) -> None:
        """An agent has ended, or waits."""
        self._at_work -= 1
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        """All have ended, or wait; but an agent whose time will be over soon does without those that wait."""
        if not self._at_work and not any(map(self._readiness.starts_in_time, self._timers)):
            self._all_ended.set()

    def _release(self, name: str) -> None:
        """`name` has ended: agents that only waited for it may start."""
        for spec in self._readiness.after(name):
            self._enqueue(spec)

    def start(self, spec: AgentSpec) -> bool:
        """See `engine.slots.Starts`."""
        if self._is_over:
            return False
        path = self._paths[spec.name]
        without = self._readiness.without(spec.name)
        scope = self._scope if not without else self._scope.without(without)
        try:
            left_out = left_out_by(spec, self._plan.needs[spec.name], scope)
        except Exception as e:  # noqa: BLE001 - the seam: an error in one agent's condition ends only that agent
            error = as_error(e)
            self._failures[spec.name] = error.message
            self._sink.post(AgentFailed(self._clock.now(), path, 0.0, error_info(error)))
        else:
            if left_out is None:
                stands_in = handles_failure(spec, self._plan.needs[spec.name], scope)
                paths = tuple(self._paths[name] for name in without)
                plans = self._plan.children.get(spec.name)
                run = AgentRun(spec, path, scope, plans, self._shared, paths, stands_in=stands_in)
                self._slots.run_in(self._group, partial(self._run_agent, run))
                self._begin_times(spec.name)
                return True
            if left_out.reason == "condition":
                self._left_out[spec.name] = left_out
            because = tuple(self._paths[name] for name in left_out.because)
            self._sink.post(AgentSkipped(self._clock.now(), path, because, left_out.reason))
        self._ended(spec.name)
        return False

    async def _run_agent(self, agent: AgentRun, slot: HeldSlot) -> None:
        try:
            ended = await agent.run()
        except Exception:  # what passes: the group ends
            self._is_over = True
            raise
        finally:
            slot.give_back()
        if is_cancelled():
            return  # nothing starts any more
        if isinstance(ended, WaitsForPerson):
            self.is_waiting = True
            self._at_rest()
        else:
            self._end(agent.spec.name, ended)
        self._slots.start_ready()

    def _end(self, name: str, ended: AgentOutput | LlmOrcError) -> None:
        if isinstance(ended, LlmOrcError):
            self._failures[name] = ended.message
            if (payload := payload_of(ended)) is not None:
                self._payloads[name] = payload
        else:
            self._keep(name, ended)
        self._ended(name)
