"""Crowds of agents in real processes before a real server that takes only so many requests in a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from tests.program.popen import create_program
from tests.providers import asking_crowd

YES = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}


@dataclass
class Busy:
    """Refills evenly, so many at once at most."""

    rate: float
    says_when: bool
    url: str = ""
    heard: int = 0
    left: float = 0.0
    at: float = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        self.heard += 1
        now = asyncio.get_running_loop().time()
        self.left, self.at = min(self.rate, self.left + (now - self.at) * self.rate), now
        if self.left < 1:
            return web.json_response({}, status=429, headers={"Retry-After": "1"} if self.says_when else {})
        self.left -= 1
        await asyncio.sleep(0.02)
        return web.json_response(YES)


@asynccontextmanager
async def busy_server(rate: float, *, says_when: bool) -> AsyncIterator[Busy]:
    busy = Busy(rate, says_when)
    app = web.Application()
    app.router.add_post("/{path:.*}", busy.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port, *_ = runner.addresses[0]
    busy.url = f"http://{host}:{port}"
    yield busy
    await runner.cleanup()


async def crowds(url: str, agents: int, processes: int) -> int:
    """How many were answered."""
    running = [await create_program(url, str(agents), module=asking_crowd.__name__) for _ in range(processes)]
    said = await asyncio.gather(*(process.communicate() for process in running))
    return sum(int(answered) for answered, _ in said)


async def test_a_crowd_finds_the_speed_of_a_real_server() -> None:
    async with busy_server(100, says_when=False) as busy:
        answered = await asking_crowd.main(busy.url, 150)

    assert answered == 150
    assert busy.heard <= 1.5 * 150


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "rate", "says_when"), [(1, 10, False), (3, 20, True)])
async def test_two_hundred_agents_in_each_process_find_the_speed_of_a_slow_server(
    processes: int, rate: int, *, says_when: bool
) -> None:
    async with busy_server(rate, says_when=says_when) as busy:
        answered = await crowds(busy.url, 200, processes)

    assert answered == processes * 200
    assert busy.heard <= 1.5 * processes * 200
