"""A blip of the sign-in server: waited out by a call, whether the token has run out or the provider refused it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.tokens.oauth import OAuthAuthoriser, Tokens
from llm_orc.auth.tokens.refresh_turn import refresh_turn
from llm_orc.errors import CredentialStoreError, ProviderOverloaded
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model import HttpModel
from llm_orc.providers.retries import Retries
from llm_orc.sandbox.faults import Hang, Status
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.faults import Dropped, OAuthEffect, OAuthFault
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.auth.sign_in_store import PROVIDER, open_storage
from tests.fakes.clocks import SetTime
from tests.fakes.loopback import Loopback, Script, answer

QUESTION = ModelRequest((Message("user", "hello"),))
YES = answer({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]})
REFUSED = answer({"error": {"message": "token expired"}}, 401)
BLIPS: dict[str, OAuthEffect] = {
    "502": Status(502, body="<html>Bad gateway</html>"),
    "429": Status(429, retry_after_s=7),
    "429 without a word": Status(429),
    "dropped": Dropped(),
    "silent": Hang(),
}


async def ask(
    folder: Path, server: OAuthServer, clock: SetTime, *scripts: Script, lives_s: float, max_retries: int = 4
) -> str:
    """Ask a model with a token that lives so long; the provider's answers are `scripts`."""
    storage, provider = open_storage(folder / "store", clock), Loopback()
    await provider.start()
    provider.answers(*scripts)
    try:
        async with (
            Sandbox(oauth=server),
            Http(NetworkSettings(idle_timeout_s=0.3), max_connections=5) as http,
            Tokens(storage, http, clock) as tokens,
        ):
            client = OAuthClient(PROVIDER, CLIENT_ID, token_endpoint=server.token_endpoint)
            issued = server.issue_tokens()
            entry = storage.store_oauth_token(
                PROVIDER, issued.access_token, issued.refresh_token, clock() + lives_s, CLIENT_ID
            )
            model = HttpModel(
                Endpoint("p", "openai-chat", provider.url, provider.url),
                "m",
                OpenAIChat(),
                OAuthAuthoriser(tokens.keeper(entry, client), provider.url),
                http,
                retries=Retries(max_retries, clock.sleep),
            )
            return (await model.reply(QUESTION)).text
    finally:
        await provider.stop()


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("blip", BLIPS)
@pytest.mark.parametrize("is_refused", [False, True], ids=["run out", "refused"])
async def test_a_blip_of_the_sign_in_server_ends_no_call(
    tmp_path: Path, blip: str, times: int, *, is_refused: bool
) -> None:
    server, clock = OAuthServer(), SetTime()
    server.add_fault(OAuthFault(BLIPS[blip], grant_type="refresh_token", times=times))
    scripts = [REFUSED, YES] if is_refused else [YES]

    text = await ask(tmp_path, server, clock, *scripts, lives_s=3600 if is_refused else -1)

    assert text == "yes"
    assert sum(clock.naps) < 60


@pytest.mark.parametrize("is_refused", [False, True], ids=["run out", "refused"])
async def test_a_sign_in_server_that_stays_busy_ends_the_call_after_its_tries(
    tmp_path: Path, *, is_refused: bool
) -> None:
    server, clock = OAuthServer(), SetTime()
    server.add_fault(OAuthFault(BLIPS["502"], grant_type="refresh_token", times=None))

    with pytest.raises(ProviderOverloaded, match="sign-in server"):
        await ask(tmp_path, server, clock, REFUSED, lives_s=3600 if is_refused else -1, max_retries=3)

    assert len(clock.naps) == 3


async def test_a_sign_in_server_that_asks_for_an_hour_is_not_waited_for(tmp_path: Path) -> None:
    server, clock = OAuthServer(), SetTime()
    server.add_fault(OAuthFault(Status(429, retry_after_s=3600), grant_type="refresh_token", times=None))

    with pytest.raises(ProviderOverloaded, match=r"3600 s \(until 20.* UTC\)"):
        await ask(tmp_path, server, clock, REFUSED, lives_s=3600)

    assert clock.naps == []


async def test_who_waits_for_another_process_says_so_and_goes_on_after_it(tmp_path: Path) -> None:
    storage, told = open_storage(tmp_path), asyncio.Event()
    busy = storage.refresh_lock("p", "x", wait_s=0)
    busy.__enter__()

    async def take() -> str:
        async with refresh_turn(storage, "p", "x", lambda sentence: told.set(), notice_s=0.05):
            return "taken"

    waiting = asyncio.ensure_future(take())
    async with asyncio.timeout(30):
        await told.wait()
        busy.__exit__(None, None, None)
        assert await waiting == "taken"


def test_a_busy_lock_says_how_long_was_waited_for_it(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)

    with storage.refresh_lock("p", "x"):
        with pytest.raises(CredentialStoreError, match="did not finish within 60 s"):
            storage.refresh_lock("p", "x", wait_s=0, waited_s=60).__enter__()
        with pytest.raises(CredentialStoreError, match=r"locked by process \d+ now"):
            storage.refresh_lock("p", "x", wait_s=0).__enter__()
