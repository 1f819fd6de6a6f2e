"""Run one agent: its events, its texts, its call, and whatever goes wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.attachments.attached import files_for
from llm_orc.agents.kinds import needs_of
from llm_orc.agents.path import AgentPath
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.agents.references.render import fill_in_plainly
from llm_orc.agents.references.scope import Scope
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn, ChildRunner, TimeLimits
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentStarted
from llm_orc.engine.inputs import filled_in, prompt_for
from llm_orc.engine.observer import EventObserver, FirstWord, RecordedActions, error_info
from llm_orc.engine.plan import Plan
from llm_orc.engine.shared import Shared
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.output import AgentOutput


@dataclass(frozen=True, slots=True)
class AgentRun:
    """One agent at its path, with what it may refer to. `plans` are those of what may run within it.

    `without`: see `AgentStarted`. `beginning` is that of its prompt and of others. `began_to_answer` is called
    when a provider's cache has it, or will not have it. `stands_in`: see `AgentOutput`.
    """

    spec: AgentSpec
    path: AgentPath
    scope: Scope
    plans: Mapping[str, Plan] | None
    shared: Shared
    without: tuple[AgentPath, ...] = ()
    beginning: str = ""
    began_to_answer: Callable[[], None] | None = None
    stands_in: bool = False

    async def run(self) -> AgentOutput | LlmOrcError | WaitsForPerson:
        """Run the agent and return its answer, what it failed with, or that it waits for a person.

        The caller has a slot for it. The event of its end is durable when this returns. Raises only what
        `Shared.passes` lets through, and the cancellation of the task itself.
        """
        shared = self.shared
        began = shared.clock.monotonic()
        try:
            return await self._finish(began)
        except WaitsForPerson as e:
            return e
        except LlmOrcError as e:
            error = e
        except shared.passes:
            raise
        except Exception as e:  # noqa: BLE001 - the seam: an error in one agent ends only that agent
            error = as_error(e)
        except asyncio.CancelledError as e:
            if is_cancelled():
                raise
            error = as_error(e)  # raised by the agent: the run goes on
            if shared.passes:  # raised by what carries the run, which has turned an agent's own into an error
                raise error from e
        duration_s = shared.clock.monotonic() - began
        await shared.sink.commit(AgentFailed(shared.clock.now(), self.path, duration_s, error_info(error)))
        return error

    async def _finish(self, began: float) -> AgentOutput:
        shared, spec, path = self.shared, self.spec, self.path
        shared.sink.post(AgentStarted(shared.clock.now(), path, spec.work.kind, self.without))
        is_asked = not spec.repeats  # else it is asked in turns within this one
        texts = filled_in(spec, self.scope) if is_asked else {}
        prompt = prompt_for(spec, texts, self.scope) if is_asked else ""
        files = files_for(spec, self.scope) if is_asked else ()
        saved_as = self._saved_as()
        limits = TimeLimits(shared.limits)
        turn = AgentTurn(
            path,
            spec,
            prompt,
            self._observer(),
            children=self._children(limits),
            idle=partial(self._idle, limits),
            limits=limits,
            texts=texts,
            without=self.without,
            shared=len(self.beginning) if prompt.startswith(self.beginning) else 0,
            scope=self.scope,
            files=files,
            actions=self._actions() if is_asked else None,
        )
        output = await shared.call(turn)
        if output.stands_in != self.stands_in:
            output = replace(output, stands_in=self.stands_in)
        saver = None if shared.is_rehearsal else shared.saver
        if saved_as and shared.is_rehearsal:
            turn.observer.notice(f"A run would write this answer to `{saved_as}`.")
        elif saved_as:
            output = replace(output, saved_as=saved_as)
        duration_s = shared.clock.monotonic() - began
        await shared.sink.commit(AgentFinished(shared.clock.now(), path, duration_s, output))
        if saved_as and saver is not None:  # its failure is the agent's, whose answer is in the record
            await saver.save(path, saved_as, output)
        return output

    def _actions(self) -> RecordedActions | None:
        if not needs_of(self.spec.work).tools:
            return None
        shared, path = self.shared, self.path
        return RecordedActions(path, shared.sink, shared.clock, shared.before.actions.get(path, ()))

    def _children(self, limits: TimeLimits) -> ChildRunner | None:
        if not self.plans and not self.spec.repeats:
            return None
        return self.shared.child_runs(self.plans or {}, replace(self.shared, limits=limits))

    @asynccontextmanager
    async def _idle(self, limits: TimeLimits) -> AsyncIterator[None]:
        with limits.standing_still():
            async with self.shared.slots.lent():
                yield

    def _saved_as(self) -> str:
        """Return the file that its answer is written to; empty: none. Raises `SaveFailed` if none can be."""
        spec, saver = self.spec, self.shared.saver
        if saver is None or spec.save_as is None or not spec.saves:
            return ""
        path = fill_in_plainly(spec.save_as, self.scope)
        saver.prepare(self.path, path)
        return path

    def _observer(self) -> EventObserver:
        observer = EventObserver(self.path, self.shared.sink, self.shared.clock)
        return observer if self.began_to_answer is None else FirstWord(observer, self.began_to_answer)


def is_cancelled() -> bool:
    """Return whether the present task is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
