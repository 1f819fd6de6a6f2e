"""A provider on loopback that logs every call: a witness independent of the durable engine."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

_ROW = re.compile(r"\brow (\d+)\b")
Call = tuple[int, str]  # row, agent


@dataclass
class Kill:
    """The calls of a process that were in flight when it was killed or suspended.

    A call is in flight once its worker has counted it, the last step before sending: a process that is suspended
    in between sends it when it wakes up. `lost` are the answers to the process that were not stored then; each has the
    number of those that arrived later and were: unlike seconds, it says nothing of how fast the machine is.
    """

    pid: int
    at: float
    in_flight: set[Call]
    lost: dict[Call, int]


@dataclass
class Witness:
    """Answers with a text that depends on the prompt only, after a delay that differs from call to call."""

    shortest_s: float = 0.02
    spread_s: float = 0.2
    calls: list[Call] = field(default_factory=list)
    callers: list[int] = field(default_factory=list)  # the process of each call
    started: list[float] = field(default_factory=list)
    answered: dict[Call, tuple[float, int]] = field(default_factory=dict)  # the last time, and to which process
    in_flight: Counter[tuple[Call, int]] = field(default_factory=Counter)
    most_in_flight: int = 0
    kills: list[Kill] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=False, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        prompt, pid = asked["prompt"], asked["pid"]
        found = _ROW.search(prompt)
        assert found is not None
        call = (int(found[1]), asked["agent"])
        now = time.monotonic()
        for kill in self.kills:
            if kill.pid == pid and asked["begun"] < kill.at:  # sent before the kill, and arrived after it
                kill.in_flight.add(call)
        self.calls.append(call)
        self.callers.append(pid)
        self.started.append(now)
        self.in_flight[call, pid] += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight.total())
        # Delays depend on the order of arrival, so agents that run again finish in another order.
        dice = hashlib.sha256(f"{len(self.calls)} {call}".encode()).digest()[0] / 255
        await asyncio.sleep(self.shortest_s + self.spread_s * dice)
        self.in_flight -= Counter([(call, pid)])
        self.answered[call] = (time.monotonic(), pid)
        words = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        return web.Response(text=f"{asked['agent']} on row {call[0]}: {words}")

    def note_kill(self, pid: int, stored: Callable[[], Collection[Call]]) -> None:
        """Call it right after a kill; `stored` reads which answers are stored then."""
        now = time.monotonic()
        in_flight = {call for call, of in self.in_flight if of == pid}
        answered_at = {call: at for call, (at, of) in self.answered.items() if of == pid}
        kept = stored()
        kept_at = sorted(at for call, at in answered_at.items() if call in kept)
        lost = {call: len(kept_at) - bisect(kept_at, at) for call, at in answered_at.items() if call not in kept}
        self.kills.append(Kill(pid, now, in_flight, lost))

    def most_starts(self, window_s: float) -> int:
        """Return the most calls that arrived within any window of this length."""
        first = most = 0
        for last, at in enumerate(self.started):
            while self.started[first] <= at - window_s:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def repeated(self) -> Counter[Call]:
        """The number of calls beyond the first, for each row and agent."""
        return Counter({call: n - 1 for call, n in Counter(self.calls).items() if n > 1})

    def unexplained(self, evicted: Collection[int] = ()) -> list[Call]:
        """Return repeated calls that no kill explains: neither in flight then, nor answered but not yet stored.

        Nor were they in flight of an `evicted` process, which others took for dead: of which, is not known here.
        """
        explained: Counter[Call] = Counter()
        for kill in self.kills:
            explained.update(kill.in_flight | kill.lost.keys())
        explained.update(call for call, pid in zip(self.calls, self.callers, strict=True) if pid in evicted)
        return list((self.repeated - explained).elements())

    def overtaken(self, by: int) -> int:
        """Return how many answers a kill lost though so many that arrived later were stored."""
        return sum(later >= by for kill in self.kills for later in kill.lost.values())
