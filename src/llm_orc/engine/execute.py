"""Run a plan: each agent starts as soon as its inputs are available; events go to the sink."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.ceilings import Limited
from llm_orc.agents.choice import NamedModel
from llm_orc.agents.files.access import NO_FILES, FileAccess
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import top_of
from llm_orc.dataclass import dataclass
from llm_orc.engine.before import Before
from llm_orc.engine.child_runs import ChildRuns
from llm_orc.engine.events import RunFinished, RunStarted, RunStopped
from llm_orc.engine.execution import Execution
from llm_orc.engine.observer import error_info
from llm_orc.engine.shared import SaveAnswer, Shared
from llm_orc.engine.slots import Slots
from llm_orc.errors import LlmOrcError, RunInterrupted, RunTimedOut
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from llm_orc.agents.turn import CallAgent
    from llm_orc.engine.events import EventSink
    from llm_orc.engine.plan import Plan
    from llm_orc.engine.shared import Clock

_LAST_WORDS_S = 5.0  # how long a cancelled run may take to record its cancellation


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run, or another attempt of it, starts with: `done` are the answers that it has from before."""

    run_id: str
    task: str
    done: Mapping[str, AgentOutput] = field(default_factory=dict)
    sandbox: bool = False  # it is a rehearsal: all answers are canned
    conversation: str | None = None
    limits: tuple[Limited, ...] = ()
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    before: Before = Before()
    fails_when: str | None = None  # the condition under which a completed run fails
    named_models: Mapping[str, NamedModel] = field(default_factory=dict)
    saver: SaveAnswer | None = None  # None: no answer is written to a file
    task_files: tuple[FileRef, ...] = ()  # those that came with the task
    files: FileAccess = NO_FILES  # reads what the files of the run contain


async def execute(
    plan: Plan,
    start: RunStart,
    call: CallAgent,
    sink: EventSink,
    *,
    clock: Clock,
    max_concurrent: int,
    timeout_s: float | None = None,
    passes: type[Exception] | tuple[type[Exception], ...] = (),
) -> None:
    """Run all agents of `plan` that are not in `start.done`, at most `max_concurrent` at once.

    A failed agent doesn't stop the others: those that need it are skipped, or run with the available answers if
    their `requires` says so. The last event is `RunFinished`, or `RunStopped` if `timeout_s` ended the run or the
    task was cancelled (the cancellation then propagates). Agents' exceptions are not raised: whatever an agent's
    work raises is that agent's failure, except `passes`, errors of what carries the whole run.
    """
    known = _known(plan, start.done)
    shared = Shared(
        call,
        sink,
        clock,
        Slots(max_concurrent),
        ChildRuns,
        known,
        passes,
        start.run_id,
        start.before,
        start.sandbox,
        start.saver,
        start.files,
    )
    execution = Execution(plan, start.task, shared, inputs=start.inputs, files=start.task_files)
    began = clock.monotonic()
    sink.post(
        RunStarted(
            clock.now(),
            start.run_id,
            plan.ensemble,
            plan.names,
            start.task,
            start.sandbox,
            resumed=tuple(known),
            conversation=start.conversation,
            limits=start.limits,
            answer=plan.answer,
            inputs=start.inputs,
            named_models=start.named_models,
            files=start.task_files,
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
        fails_because = execution.fails_because(start.fails_when)
        duration_s = clock.monotonic() - began
        await sink.commit(RunFinished(clock.now(), execution.status, duration_s, fails_because))


def _known(plan: Plan, done: Mapping[str, AgentOutput]) -> dict[str, AgentOutput]:
    """Those of `done` that stand in the plan, or within one of its agents."""
    names = set(plan.names)
    return {path: output for path, output in done.items() if path in names or top_of(path) in names}
