"""Run the graphs within an agent: as the run itself, with the same slots, answers and calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.agents.turn import NO_ROUND
from llm_orc.agents.work import ModelWork
from llm_orc.engine.execution import Execution
from llm_orc.engine.inputs import asked
from llm_orc.engine.repeats import Repeats
from llm_orc.engine.surprises import first_cause
from llm_orc.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import AgentTurn, CallAgent, ChildResult, RoundValues, Series
    from llm_orc.engine.events import EventSink
    from llm_orc.engine.plan import Plan
    from llm_orc.engine.shared import Shared
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import FileRef
    from llm_orc.schemas.walk import Schema


class ChildRuns:
    """What runs within one agent while it has its turn. See `agents.turn.ChildRunner`."""

    def __init__(self, plans: Mapping[str, Plan], shared: Shared) -> None:
        self._plans, self._shared = plans, shared
        self._under_way = 0

    def into(self, sink: EventSink, call: CallAgent, *, passes: type[Exception]) -> ChildRuns:
        """Return the same, with events that go to `sink`, and agents that are asked through `call`.

        `passes` is what no agent's failure is: it ends the runs, and is raised.
        """
        return ChildRuns(self._plans, replace(self._shared, sink=sink, call=call, passes=passes))

    async def repeat(self, turn: AgentTurn, series: Series) -> None:
        """See `agents.turn.ChildRunner`. The agent around them has no slot: all that is left for it is its end."""
        repeats = Repeats(turn.agent, turn.path, self._plans or None, self._shared, series)
        self._shared.slots.release()
        try:
            await repeats.run()
        except BaseExceptionGroup as e:  # of its tasks: what one of them raised
            raise first_cause(e) from e
        finally:
            self._shared.slots.take_at_once()
        if repeats.is_waiting and not series.is_decided:
            raise WaitsForPerson

    def asked(self, turn: AgentTurn) -> tuple[str, str]:
        """See `agents.turn.ChildRunner`."""
        return ("", "") if turn.scope is None else asked(turn.agent, turn.scope)

    async def run(
        self,
        child: str,
        task: str,
        at: AgentPath,
        inputs: Mapping[str, JsonValue] | None = None,
        of_round: RoundValues = NO_ROUND,
        *,
        files: tuple[FileRef, ...] = (),
        schema: Schema | None = None,
    ) -> ChildResult:
        """Run the child to its end. The agent around it has no slot meanwhile, and has one again afterwards.

        Raises `WaitsForPerson` if one of its agents does, and all else in it has ended.
        """
        plan = self._plans.get(child)
        if plan is None:
            raise InternalError(f"nothing within agent `{at}` is called `{child}`")
        if schema is not None:
            plan = replace(plan, order=tuple(_by_schema(spec, schema) for spec in plan.order))
        execution = Execution(plan, task, self._shared, at, inputs=inputs or {}, of_round=of_round, files=files)
        slots = self._shared.slots
        self._under_way += 1
        if self._under_way == 1:
            slots.release()
        try:
            await execution.run()
        except BaseException as e:
            self._under_way -= 1
            if not self._under_way:
                slots.take_at_once()
            if isinstance(e, BaseExceptionGroup):  # of its tasks: what one of them raised
                raise first_cause(e) from e
            raise
        self._under_way -= 1
        if not self._under_way:
            await slots.take_back()
        if execution.is_waiting:
            raise WaitsForPerson
        return execution.result


def _by_schema(spec: AgentSpec, schema: Schema) -> AgentSpec:
    return replace(spec, work=replace(spec.work, schema=schema)) if isinstance(spec.work, ModelWork) else spec
