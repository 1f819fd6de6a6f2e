"""Time limits that read first: what arrived while this process was suspended is read before a limit is declared.

After SIGSTOP, or a machine's sleep, timers are due at once, and an event loop fires them before it reads its
sockets. So a limit that is due gives the loop one more chance to read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_ONE_MORE_CHANCE_S = 0.05


class Patience:
    """Use it like `asyncio.timeout`, in one task: it ends the block if nothing is heard for `limit_s`.

    It counts from `start`, and again from each `hear`; without a `hear` it limits the whole block. None: no limit.
    """

    __slots__ = ("_handle", "_has_limit", "_heard_at", "_held", "_is_asked", "_limit_s", "_loop", "_timeout")

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s or 0.0
        self._has_limit = limit_s is not None
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._handle: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._is_asked = False
        self._held: list[float] = []  # since when, by all that hold it

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_limit = False
        if self._handle is not None:
            self._handle.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def start(self) -> None:
        self.hear()
        if self._handle is None and self._has_limit:
            self._handle = self._loop.call_later(self._limit_s, self._look)

    def hear(self) -> None:
        """Something arrived."""
        self._heard_at = self._loop.time()
        self._is_asked = False

    def hold(self) -> None:
        """Let it stand still until `let_go` has been called as often."""
        self._held.append(self._loop.time())
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def let_go(self) -> None:
        """Let it count on, unless others still hold it."""
        since = self._held.pop()
        if not self._held and self._has_limit:
            self._heard_at += self._loop.time() - since
            self._look()

    @property
    def is_over(self) -> bool:
        """True if the limit has ended the block."""
        return self._timeout.expired()

    def _look(self) -> None:
        left = self._heard_at + self._limit_s - self._loop.time()
        if left > 0:
            self._handle = self._loop.call_later(left, self._look)
        elif not self._is_asked:
            self._is_asked = True
            self._handle = self._loop.call_later(_ONE_MORE_CHANCE_S, self._look)
        else:
            self._timeout.reschedule(self._loop.time())
