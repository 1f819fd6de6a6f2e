"""Watch that every exchange makes progress, with one clock for all of them instead of a timer for each piece.

Time is counted in ticks of the event loop. A process that was suspended (SIGSTOP) has missed ticks and has not
seen silence, so what arrived meanwhile is read before a server is called silent. A connection whose answer is no
valid HTTP is noticed here too, because aiohttp leaves its reader waiting.
"""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar
from dataclasses import field
from typing import Any

import aiohttp

from llm_orc.dataclass import dataclass
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import TransportError, Trouble

_LONGEST_TICK_S, _SHORTEST_TICK_S = 1.0, 0.01
_TICKS = 8  # at least so many in the shortest limit
_CONNECTING = 4  # times the limit of one connect: several addresses, a proxy, TLS
_DEAF = 2  # ticks after the connection's end, in which its last bytes are read


@dataclass(slots=True, eq=False)
class Watch:
    """One exchange. `moved` is when its last piece arrived; no time is counted while it waits for a connection."""

    watchdog: Watchdog
    deadline: asyncio.Timeout
    moved: float = math.inf
    began: float = math.inf
    connecting: float = math.inf
    response: aiohttp.ClientResponse | None = None
    deaf: int = 0
    trouble: TransportError | None = None

    def move(self) -> None:
        self.moved = self.watchdog.ticks

    def tick(self, now: int) -> None:
        limits = self.watchdog
        if now - self.moved > limits.idle:
            self._end(Trouble.SILENT, f"no data for {limits.settings.idle_timeout_s:g} s")
        elif now - self.began > limits.answer:
            self._end(Trouble.TOO_SLOW, f"no whole answer within {limits.settings.answer_timeout_s:g} s")
        elif now - self.connecting > limits.connect:
            connect_s = limits.settings.connect_timeout_s * _CONNECTING
            self._end(Trouble.NOT_SENT, f"no connection within {connect_s:g} s")
        elif self.response is not None and _is_lost(self.response):
            self.deaf += 1
            if self.deaf > _DEAF:
                self._end(Trouble.GARBAGE, "its body is not valid HTTP")

    def _end(self, trouble: Trouble, reason: str) -> None:
        if self.trouble is None:
            self.trouble = TransportError(trouble, reason)
            self.deadline.reschedule(asyncio.get_running_loop().time())


@dataclass(slots=True)
class Watchdog:
    """Watches the exchanges of one `Http`. Ticks only while there are any."""

    settings: NetworkSettings
    ticks: int = 0
    idle: float = field(init=False)
    answer: float = field(init=False)
    connect: float = field(init=False)
    _tick_s: float = field(init=False)
    _watches: set[Watch] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        s = self.settings
        shortest = min(s.idle_timeout_s, s.answer_timeout_s, s.connect_timeout_s)
        self._tick_s = max(_SHORTEST_TICK_S, min(_LONGEST_TICK_S, shortest / _TICKS))
        self.idle, self.answer = s.idle_timeout_s / self._tick_s, s.answer_timeout_s / self._tick_s
        self.connect = s.connect_timeout_s * _CONNECTING / self._tick_s

    def watch(self, deadline: asyncio.Timeout) -> Watch:
        watch = Watch(self, deadline)
        _CURRENT.set(watch)
        self._watches.add(watch)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        return watch

    def leave(self, watch: Watch) -> None:
        self._watches.discard(watch)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self.ticks += 1
        for watch in list(self._watches):
            watch.tick(self.ticks)
        self._timer = None
        if self._watches:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)


_CURRENT: ContextVar[Watch] = ContextVar("watch")


class WatchedConnector(aiohttp.TCPConnector):
    """Tells the watch of an exchange when its connection is being established, including through a proxy."""

    async def _create_connection(self, *args: Any) -> Any:
        watch = _CURRENT.get()
        watch.connecting = watch.watchdog.ticks
        try:
            return await super()._create_connection(*args)
        finally:
            watch.connecting = math.inf


class WatchedRequest(aiohttp.ClientRequest):
    """Tells the watch of an exchange when it has a connection and is sent."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        watch = _CURRENT.get()
        watch.began = watch.moved = watch.watchdog.ticks
        return await super().send(conn)


def _is_lost(response: aiohttp.ClientResponse) -> bool:
    """The connection is gone, and its answer is neither complete nor known to be broken."""
    content, connection = response.content, response.connection
    if connection is None or content.is_eof() or content.exception() is not None:
        return False
    return connection.protocol is None or not connection.protocol.is_connected()
