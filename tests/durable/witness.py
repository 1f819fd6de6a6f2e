"""A provider on loopback that keeps its own log of every call: the witness outside the durable engine."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

_ROW = re.compile(r"\brow (\d+)\b")
Call = tuple[int, str]  # row, agent


@dataclass
class Kill:
    """What was under way when a process was killed. `answered_s` is how long before an answer had gone out."""

    in_flight: Counter[Call]
    answered_s: dict[Call, float]


@dataclass
class Witness:
    """Answers with words made from the prompt alone, after a while that differs from call to call."""

    shortest_s: float = 0.02
    spread_s: float = 0.2
    calls: list[Call] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    answered: dict[Call, float] = field(default_factory=dict)
    in_flight: Counter[Call] = field(default_factory=Counter)
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
        prompt = asked["prompt"]
        found = _ROW.search(prompt)
        assert found is not None
        call = (int(found[1]), asked["agent"])
        self.calls.append(call)
        self.started.append(time.monotonic())
        self.in_flight[call] += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight.total())
        # Another order of arrival gives other delays, so a replay ends in another order.
        dice = hashlib.sha256(f"{len(self.calls)} {call}".encode()).digest()[0] / 255
        await asyncio.sleep(self.shortest_s + self.spread_s * dice)
        self.in_flight -= Counter([call])
        self.answered[call] = time.monotonic()
        words = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        return web.Response(text=f"{asked['agent']} on row {call[0]}: {words}")

    def note_kill(self) -> None:
        """Call it right after a kill. What the killed process had open is forgotten."""
        now = time.monotonic()
        answered = {call: now - at for call, at in self.answered.items()}
        self.kills.append(Kill(Counter(self.in_flight), answered))

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
        """Calls beyond the first, for each row and agent."""
        return Counter({call: n - 1 for call, n in Counter(self.calls).items() if n > 1})

    def unexplained(self, lag_s: float) -> list[Call]:
        """Return repeats that were neither in flight at a kill nor answered just before one."""
        explained: Counter[Call] = Counter()
        for kill in self.kills:
            for call in {*kill.in_flight, *(c for c, s in kill.answered_s.items() if s <= lag_s)}:
                explained[call] += 1
        return list((self.repeated - explained).elements())

    def lateness_s(self) -> list[float]:
        """For repeats that were answered and not in flight: how long before the last such kill."""
        return sorted(
            min((k.answered_s[c] for k in self.kills if c in k.answered_s and c not in k.in_flight), default=0.0)
            for c in self.repeated
            if not any(c in k.in_flight for k in self.kills)
        )
