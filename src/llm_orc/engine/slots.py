"""How many agents may run at once, in a run and in all runs within its agents."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from llm_orc.agents.spec import AgentSpec


class Starts(Protocol):
    """Starts agents whose turn has come."""

    def start(self, spec: AgentSpec) -> bool:
        """Start the agent. False: it needs no slot after all, as it can't run."""
        ...


class HeldSlot:
    """The slot of one agent that runs, given back once: by the agent, or by its task that ends before it begins.

    A task that is cancelled before its first step runs nothing, so what it would do at its end is not enough.
    """

    __slots__ = ("_is_held", "_slots")

    def __init__(self, slots: Slots) -> None:
        self._slots, self._is_held = slots, True

    def give_back(self) -> None:
        """See `Slots.release`. Has no effect the second time."""
        if self._is_held:
            self._is_held = False
            self._slots.release()


class Slots:
    """Agents wait here for a slot, in the order in which they became ready.

    An agent gives its slot back while other agents run within it, so that they can't wait for each other, and
    while it waits for its plan.
    """

    __slots__ = ("_free", "_line", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self._free = number
        self._line: deque[tuple[Starts, AgentSpec] | asyncio.Future[None]] = deque()

    def enqueue(self, starts: Starts, spec: AgentSpec) -> None:
        """Let the agent wait for its turn; `start_ready` starts it."""
        self._line.append((starts, spec))

    def start_ready(self) -> None:
        """Start those who wait, as far as there are slots."""
        line = self._line
        while line and self._free > 0:
            match line.popleft():
                case (starts, spec):
                    if starts.start(spec):
                        self._free -= 1
                case waiter:
                    if not waiter.done():
                        self._free -= 1
                        waiter.set_result(None)

    def run_in(self, group: asyncio.TaskGroup, agent: Callable[[HeldSlot], Coroutine[None, None, None]]) -> None:
        """Run an agent that `start` starts as a task. It gives back the slot that it is told when it ends."""
        slot = HeldSlot(self)
        group.create_task(agent(slot)).add_done_callback(lambda _: slot.give_back())

    def release(self) -> None:
        """Give a slot back. The caller has to call `start_ready` when its own part is done."""
        self._free += 1

    async def take_back(self) -> None:
        """Wait for a slot again, before all who have had none yet.

        If the wait is cancelled, a slot is taken all the same, as the agent that ends now gives one back.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.appendleft(waiter)
        self.start_ready()
        try:
            await waiter
        except BaseException:
            if not waiter.done() or waiter.cancelled():  # else it was granted in the same moment
                self.take_at_once()
            raise

    def take_at_once(self) -> None:
        """Take a slot that may not be free: for an agent that is about to end, and gives it back then."""
        self._free -= 1

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Give the slot of an agent that waits for something to others, and take one back afterwards."""
        self.release()
        self.start_ready()
        try:
            yield
        except BaseException:
            self.take_at_once()
            raise
        await self.take_back()
