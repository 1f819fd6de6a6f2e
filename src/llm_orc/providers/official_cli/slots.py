"""How many processes may start, and live, at once: starting takes CPU time, and each process 200 MB."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.errors import AuthError, PlanLimitReached, RateLimited
from llm_orc.providers.limits.plan_limit import ends_soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


_UNTOLD_S = 60.0  # a plan's limit without a reset time; whoever waits for the plan waits longer than that


class Slots:
    """Slots for processes. One that only waits for its next turn gives up its slot if another needs it."""

    def __init__(self, max_live: int, max_starting: int) -> None:
        self.starting = asyncio.Semaphore(max_starting)
        self._free = max_live
        self._changed = asyncio.Condition()
        self._idle: dict[object, Callable[[], Awaitable[None]]] = {}  # longest idle first

    async def enter(self) -> None:
        """Take a slot, waiting for one; end the longest idle process if none is free."""
        async with self._changed:
            while self._free == 0:
                if self._idle:
                    end = self._idle.pop(next(iter(self._idle)))
                    await end()  # returns nothing: its slot is now ours
                    return
                await self._changed.wait()
            self._free -= 1

    async def leave(self) -> None:
        """Give a slot back."""
        async with self._changed:
            self._free += 1
            self._changed.notify()

    async def rest(self, who: object, end: Callable[[], Awaitable[None]]) -> None:
        """Keep the slot until another process needs it; then `end` is called."""
        async with self._changed:
            self._idle[who] = end
            self._changed.notify()

    async def wake(self, who: object) -> bool:
        """Return whether `who` still has its slot, and mark it as active."""
        async with self._changed:
            return self._idle.pop(who, None) is not None


class LoginSingleFlight:
    """Lets one call run before all others, so that they find a fresh login instead of all refreshing it.

    If one call finds the login refused or the plan used up, later ones fail without asking again: until the plan
    resets or, if that is not known, for a minute.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` is in Unix seconds: a plan resets at a time of day, however long this machine sleeps meanwhile."""
        self._now = now
        self._is_open = False
        self._ahead: asyncio.Event | None = None
        self._refusal: AuthError | RateLimited | None = None
        self._refused_until = math.inf

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[], None]]:
        """Yield the function to call once the login was accepted. Raises the error of an earlier call."""
        while not self._is_open and self._ahead is not None:
            await self._ahead.wait()
        self.refuse()
        is_first, ahead = not self._is_open, asyncio.Event()
        if is_first:
            self._ahead = ahead

        def taken() -> None:
            self._is_open = True
            ahead.set()

        try:
            yield taken
        except (AuthError, RateLimited) as e:
            if not ends_soon(e):
                self._refusal, self._refused_until = e, self._end_of(e)
            raise
        finally:
            if is_first:
                self._ahead = None
                ahead.set()

    def refuse(self) -> None:
        """Raise the error of an earlier call, if this one would meet the same."""
        if self._refusal is not None and self._now() < self._refused_until:
            raise self._refusal

    def _end_of(self, refusal: AuthError | RateLimited) -> float:
        if not isinstance(refusal, RateLimited):
            return math.inf
        told = refusal.resets_at if isinstance(refusal, PlanLimitReached) else None
        return self._now() + _UNTOLD_S if told is None else told
