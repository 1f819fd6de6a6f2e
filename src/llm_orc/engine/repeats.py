"""Run one agent several times within its own turn, such as once for each item of a list."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import kind_of, needs_of
from llm_orc.agents.path import item_of
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.engine.agent_run import AgentRun, is_cancelled
from llm_orc.engine.inputs import asked
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import Series
    from llm_orc.engine.plan import Plan
    from llm_orc.engine.shared import Shared
    from llm_orc.engine.slots import HeldSlot


_WORTH_CACHING = 4096  # characters, about 1,024 tokens: providers cache nothing shorter


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
        self._beginning = ""
        self._is_open = True  # False: the first is alone until its beginning is in the provider's cache
        self._group: asyncio.TaskGroup
        self._is_over = False
        self.is_waiting = False  # one of them waits for a person

    async def run(self) -> None:
        """Run them until the series has no more. Raises what `Shared.passes` lets through."""
        async with asyncio.TaskGroup() as self._group:
            try:
                self._look_at_the_beginning()
                self._go_on()
                await self._all_ended.wait()
            finally:  # a group that ends its tasks takes no more, and others may call `start` meanwhile
                self._is_over = True

    def _look_at_the_beginning(self) -> None:
        """If what they are asked begins alike for long, the first goes ahead.

        A provider's cache is then written once and read by the others; all at once would each pay for all of it.
        In a batch, where nobody listens to an answer that arrives, it would last too long.
        """
        work = self._spec.work
        if self._spec.repeats or not needs_of(work).models or kind_of(work).prompt is not None:
            return
        try:
            of_some = [asked(self._spec, scope) for scope in self._series.examples()]
        except LlmOrcError:
            return  # it is told when its turn comes
        if len(of_some) < 2 or len({role for role, _ in of_some}) > 1:
            return
        role, first = of_some[0]
        alike = min(_alike(first, prompt) for _, prompt in of_some[1:])
        if alike and len(role) + alike >= _WORTH_CACHING:
            self._beginning, self._is_open = first[:alike], bool(self._shared.passes)

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._go_on()

    def _go_on(self) -> None:
        while (
            self._under_way < (self._width if self._is_open else 1) and (scope := self._series.next()) is not None
        ):
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
        self._slots.run_in(self._group, partial(self._run_one, *self._waiting.popleft()))
        return True

    async def _run_one(self, number: int, scope: Scope, slot: HeldSlot) -> None:
        path = item_of(self._path, number)
        try:
            tell = None if self._is_open else self._open
            run = AgentRun(
                self._spec,
                path,
                scope,
                self._plans,
                self._shared,
                beginning=self._beginning,
                began_to_answer=tell,
            )
            how = await run.run()
        except Exception:  # what passes: the group ends
            self._is_over = True
            raise
        finally:
            slot.give_back()
        if is_cancelled():
            return  # nothing starts any more
        if isinstance(how, WaitsForPerson):
            self.is_waiting = True
        else:
            self._series.ended(number, how)
        self._under_way -= 1
        self._is_open = True
        self._go_on()


def _alike(one: str, other: str) -> int:
    """Return with how many characters both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
