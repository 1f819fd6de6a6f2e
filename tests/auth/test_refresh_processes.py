"""Processes that share one sign-in: one refresh for all, and kill -9 at any moment."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress

import pytest

from tests.auth.conftest import SignIn
from tests.program.popen import create_program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")


async def start(sign_in: SignIn, how: str) -> asyncio.subprocess.Process:
    arguments = (str(sign_in.storage.path.parent), sign_in.server.token_endpoint, how)
    return await create_program(*arguments, module="tests.auth.refresher", stdin=asyncio.subprocess.PIPE)


async def share_one_refresh(sign_in: SignIn, processes: int) -> None:
    sign_in.issue(lifetime_s=-1.0)
    running = [await start(sign_in, "once") for _ in range(processes)]
    for process in running:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 120) == b"ready\n"

    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in running))

    token = sign_in.token.access_token.reveal()
    assert [out.decode() for out, _ in outputs] == [f"token {token}\n"] * processes
    assert sign_in.server.refresh_count == 1
    assert sign_in.server.reuse_events == []


async def test_processes_that_share_a_sign_in_refresh_it_once(sign_in: SignIn) -> None:
    await share_one_refresh(sign_in, 3)


@pytest.mark.slow
async def test_fifty_processes_at_expiry_are_one_refresh(sign_in: SignIn) -> None:
    await share_one_refresh(sign_in, 50)


async def survive_kills(sign_in: SignIn, kills: int, seed: int) -> tuple[int, int]:
    """Kill a process in the middle of refreshing, again and again; return (refreshes, new sign-ins needed).

    After each kill the sign-in must work, or say truthfully that one new sign-in is needed: then, and only then,
    the server has seen a token again that it had spent.
    """
    rng = random.Random(seed)
    sign_in.issue()
    lost = refreshed = 0
    for _ in range(kills):
        process = await start(sign_in, "again-and-again")
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        first = (await process.stdout.readline()).decode()
        if first.startswith("error"):
            assert "interrupted before its answer was stored" in first
            lost += 1
            sign_in.issue()
        else:
            assert first == "refreshed\n"
            await asyncio.sleep(rng.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            refreshed += 1 + (await process.stdout.read()).count(b"refreshed\n")
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        assert len(sign_in.server.reuse_events) == lost
    return refreshed, lost


@pytest.mark.slow
async def test_a_sign_in_survives_kills_or_says_that_it_did_not(sign_in: SignIn) -> None:
    refreshed, lost = await survive_kills(sign_in, kills=6, seed=1)

    assert refreshed > lost


@pytest.mark.slow
async def test_two_hundred_kills_in_the_middle_of_refreshing(sign_in: SignIn) -> None:
    refreshed, lost = await survive_kills(sign_in, kills=200, seed=7)

    print(f"{lost} new sign-ins needed after 200 kills in {refreshed} refreshes")
    assert refreshed + lost >= 200
    assert lost < 100
