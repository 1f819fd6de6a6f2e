"""Silence is what nobody said, not what a stopped process did not hear; and no reader waits for what can't come."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import TransportError, Trouble
from tests.fakes.loopback import Cut, Loopback, Silence, answer, stream

JSON = {"content-type": "application/json"}
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

CHILD = """
import asyncio, sys
from llm_orc.net.event_loop import run_to_end
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings

async def main():
    async with Http(NetworkSettings(idle_timeout_s=0.5), 5) as http:
        print("ready", flush=True)
        feed = (lambda piece: False) if sys.argv[2] == "stream" else None
        try:
            answer = await http.send("POST", sys.argv[1], {}, b"{}", feed=feed)
            print(answer.status, answer.broken, flush=True)
        except Exception as e:
            print(repr(e), flush=True)

run_to_end(main())
"""


@pytest.mark.parametrize("end", [Cut, Silence])
@pytest.mark.parametrize("is_fed", [False, True])
async def test_a_body_that_is_no_http_keeps_nobody_waiting(
    server: Loopback, end: type[Cut | Silence], *, is_fed: bool
) -> None:
    has_head = asyncio.Event()
    server.answers([CHUNKED, has_head, b"null", end])

    async with asyncio.timeout(20), Http(NetworkSettings(idle_timeout_s=0.4, answer_timeout_s=60), 5) as http:
        call = asyncio.ensure_future(
            http.send("POST", server.url, JSON, b"{}", feed=(lambda piece: False) if is_fed else None)
        )
        await asyncio.sleep(0.05)
        has_head.set()
        with pytest.raises(TransportError) as caught:
            await call

    assert caught.value.trouble is Trouble.GARBAGE


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows stops nobody")
@pytest.mark.parametrize("way", ["whole", "stream"])
async def test_what_came_while_the_process_was_stopped_is_read_before_anybody_is_called_silent(
    server: Loopback, way: str
) -> None:
    go_on = asyncio.Event()
    script = stream(b"data: 1\n\n", b"data: 2\n\n") if way == "stream" else answer({"ok": 1})
    server.answers([script[0][:5], go_on, script[0][5:], *script[1:]])  # type: ignore[index]
    command = [sys.executable, "-c", CHILD, server.url, way]

    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    async with asyncio.timeout(30):
        while not server.heard:
            await asyncio.sleep(0.01)
    os.kill(child.pid, signal.SIGSTOP)
    go_on.set()
    await asyncio.sleep(1.2)
    os.kill(child.pid, signal.SIGCONT)
    said, _ = await child.communicate()

    assert said == b"200 \n"


async def test_who_waits_for_a_free_connection_is_not_silent(server: Loopback) -> None:
    first = asyncio.Event()
    server.answers([first, *answer({"ok": 1})], answer({"ok": 2}))

    async with Http(NetworkSettings(idle_timeout_s=0.3), max_connections=1) as http:
        slow = asyncio.ensure_future(http.send("GET", server.url, {}))
        await asyncio.sleep(0.2)
        queued = asyncio.ensure_future(http.send("GET", server.url, {}))
        await asyncio.sleep(0.05)
        first.set()
        answers = await asyncio.gather(slow, queued)

    assert [one.status for one in answers] == [200, 200]
