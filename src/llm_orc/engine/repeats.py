"""Run one agent several times within its own turn, such as once for each item of a list."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from llm_orc.agents.path import item_of
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.engine.agent_run import AgentRun, is_cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import Series
    from llm_orc.engine.plan import Plan
    from llm_orc.engine.shared import Shared


class Repeats:
    """The runs of one agent: they wait for slots as all agents do, and no more wait than may be under way.

    So agents that become ready meanwhile take turns with them, however many there are.
    """

    def __init__(
        self, spec: AgentSpec, path: AgentPath, plans: Mapping[str, Plan] | None, shared: Shared, series: Series
    ) -> None:
        self._spec, self._path, self._plans = spec, path, plans
        self._shared, self._slots, self._series = shared, shared.slots, series
        self._width = min(series.at_once or self._slots.number, self._slots.number)
        self._begun = 0
        self._under_way = 0  # those that run or wait for a slot
        self._waiting: deque[tuple[int, Scope]] = deque()
        self._all_ended = asyncio.Event()
        self._group: asyncio.TaskGroup
        self._is_over = False
        self.is_waiting = False  # one of them waits for a person

    async def run(self) -> None:
        """Run them until the series has no more. Raises what `Shared.passes` lets through."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._go_on()
                await self._all_ended.wait()
        finally:
            self._is_over = True

    def _go_on(self) -> None:
        while self._under_way < self._width and (scope := self._series.next()) is not None:
            number = self._begun
            self._begun += 1
            known = self._shared.done.get(item_of(self._path, number))
            if known is not None:
                self._series.ended(number, known)
                continue
            self._under_way += 1
            self._waiting.append((number, scope))
            self._slots.enqueue(self, self._spec)
        if not self._under_way:
            self._all_ended.set()
        self._slots.start_ready()

    def start(self, _spec: AgentSpec) -> bool:
        """See `engine.slots.Starts`."""
        if self._is_over:
            return False
        self._group.create_task(self._run_one(*self._waiting.popleft()))
        return True

    async def _run_one(self, number: int, scope: Scope) -> None:
        path = item_of(self._path, number)
        try:
            how = await AgentRun(self._spec, path, scope, self._plans, self._shared).run()
        finally:
            self._slots.release()
        if is_cancelled():
            return  # nothing starts any more
        if isinstance(how, WaitsForPerson):
            self.is_waiting = True
        else:
            self._series.ended(number, how)
        self._under_way -= 1
        self._go_on()
