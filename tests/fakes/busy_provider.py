"""A provider on loopback for batches: it notes what it was asked, and turns calls away where a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

PAIR = """\
name: pair
agents:
  - {name: first, provider: openai-compatible, model: m}
  - {name: second, provider: openai-compatible, model: m, depends_on: [first]}
"""


@dataclass
class Provider:
    """Speaks OpenAI's Chat Completions; `refuses` says of the number of calls in flight whether one is too many."""

    refuses: Callable[[int], bool]
    retry_after: str
    in_flight: int = 0
    most_in_flight: int = 0
    statuses: list[int] = field(default_factory=list)
    url: str = ""
    keys: list[str] = field(default_factory=list)
    says: str = "yes"
    takes_s: float = 0.03

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.keys.append(request.headers.get("authorization", ""))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.refuses(self.in_flight):
                self.statuses.append(429)
                wait = {"retry-after": self.retry_after}
                return web.json_response({"error": {"message": "too many requests"}}, status=429, headers=wait)
            await asyncio.sleep(self.takes_s)
            self.statuses.append(200)
            choice = {"message": {"role": "assistant", "content": self.says}, "finish_reason": "stop"}
            return web.json_response({"model": "m", "choices": [choice]})
        finally:
            self.in_flight -= 1


@asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[Provider]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()
