"""Processes that share a sign-in whose server allows a refresh only from a given time on: none comes too early."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.sandbox.oauth.clients import PLAN_CLIENT
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.auth.conftest import SignIn
from tests.auth.sign_in_store import PROVIDER, open_storage
from tests.program.popen import create_program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion"),
]
LIFETIME_S = 60.0
ALLOWED_AFTER_S = 0.2  # a refresh is allowed so soon after the one before


@asynccontextmanager
async def plan_in(folder: Path) -> AsyncIterator[SignIn]:
    plan_client = replace(PLAN_CLIENT, earliest_refresh_s=LIFETIME_S - ALLOWED_AFTER_S)
    server = OAuthServer(clients=(plan_client,), access_token_lifetime_s=LIFETIME_S)
    async with Sandbox(oauth=server) as sandbox, Http(NetworkSettings(), max_connections=5) as http:
        client = OAuthClient(PROVIDER, token_endpoint=server.token_endpoint, resource=f"{sandbox.origin}/v1")
        yield SignIn(open_storage(folder / "store"), server, client, http)


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[SignIn]:
    async with plan_in(tmp_path) as plan:
        yield plan


def issue(plan: SignIn, *, has_expired: bool = False) -> None:
    """Sign in; `has_expired`: the token is over, and may be refreshed."""
    client_id = plan.server.register_client()
    issued = plan.server.issue_tokens(client_id)
    plan.storage.store_oauth_token(
        PROVIDER, issued.access_token, issued.refresh_token, time.time() + LIFETIME_S, client_id
    )
    plan.storage.update(
        PROVIDER,
        None,
        lambda e: replace(e, credential=_timed(e.credential, issued.earliest_refresh_at, has_expired)),
    )


def _timed(token: object, earliest: float | None, has_expired: bool) -> OAuthToken:
    assert isinstance(token, OAuthToken)
    ends = time.time() - 1.0 if has_expired else token.expires_at
    return replace(token, expires_at=ends, earliest_refresh_at=earliest)


async def start(plan: SignIn, how: str) -> asyncio.subprocess.Process:
    arguments = (str(plan.storage.path.parent), plan.server.token_endpoint, how, str(plan.client.resource))
    return await create_program(*arguments, module="tests.auth.refresher", stdin=asyncio.subprocess.PIPE)


async def test_fifty_processes_at_expiry_are_one_refresh(plan: SignIn) -> None:
    issue(plan, has_expired=True)
    running = [await start(plan, "once") for _ in range(50)]
    for process in running:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 120) == b"ready\n"

    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in running))

    token = plan.token.access_token.reveal()
    assert [out.decode() for out, _ in outputs] == [f"token {token}\n"] * 50
    assert plan.server.refresh_count == 1
    assert (plan.server.early_refreshes, plan.server.reuse_events) == (0, [])


async def survive_kills(plan: SignIn, kills: int, seed: int) -> tuple[int, int]:
    """Kill a process in the middle of refreshing, again and again; return (refreshes, new sign-ins needed).

    After each kill the sign-in works, or the next process says truthfully that a new one is needed: then, and only
    then, the server has seen a token again that it had spent. It never saw one too early.
    """
    rng = random.Random(seed)
    issue(plan)
    lost = refreshed = 0
    for _ in range(kills):
        process = await start(plan, "again-and-again")
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        first = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        if first.startswith("error"):
            assert "interrupted before its answer was stored" in first
            lost += 1
            issue(plan)
        else:
            assert first == "refreshed\n"
            await asyncio.sleep(ALLOWED_AFTER_S + rng.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            refreshed += 1 + (await process.stdout.read()).count(b"refreshed\n")
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        assert len(plan.server.reuse_events) == lost
        assert plan.server.early_refreshes == 0

    return refreshed, lost


async def test_a_sign_in_survives_kills_or_says_that_it_did_not(plan: SignIn) -> None:
    refreshed, lost = await survive_kills(plan, kills=6, seed=3)

    assert refreshed > lost


async def test_two_hundred_kills_in_the_middle_of_refreshing(tmp_path: Path) -> None:
    """Of ten plans, side by side, since the processes wait for the earliest time."""
    async with AsyncExitStack() as stack:
        plans = [await stack.enter_async_context(plan_in(tmp_path / str(n))) for n in range(10)]
        ended = await asyncio.gather(*(survive_kills(plan, kills=20, seed=11 + n) for n, plan in enumerate(plans)))

    refreshed, lost = (sum(numbers) for numbers in zip(*ended, strict=True))
    print(f"{lost} new sign-ins needed after 200 kills in {refreshed} refreshes")
    assert refreshed + lost >= 200
    assert lost < 100
