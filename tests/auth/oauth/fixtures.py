"""What the tests of OAuth and of the ways to log in share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.token_endpoint import TokenResponse, exchange_code
from llm_orc.auth.secret import Secret
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from tests.fakes.clocks import SetTime
from tests.fakes.people import Person
from tests.fakes.scripted_server import Scripted

REDIRECT = "http://127.0.0.1:50123/callback"


async def exchange(client: OAuthClient, http: Http, clock: SetTime | None = None) -> TokenResponse:
    """Send a code, its verifier and its state that are easy to find again."""
    return await exchange_code(
        client,
        http,
        Secret("code-canary"),
        Secret("verifier-canary"),
        REDIRECT,
        state=Secret("state-canary"),
        clock=clock or SetTime(),
    )


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(idle_timeout_s=0.5), max_connections=20) as transport:
        yield transport


@pytest.fixture
def client(server: Scripted) -> OAuthClient:
    return OAuthClient(
        provider="acme",
        client_id="native-app",
        authorization_endpoint=f"{server.url}/authorize",
        token_endpoint=f"{server.url}/token",
        revocation_endpoint=f"{server.url}/revoke",
        device_authorization_endpoint=f"{server.url}/device",
        scopes=("chat", "profile"),
    )


@pytest.fixture
def clock() -> SetTime:
    return SetTime()


@pytest.fixture
def person() -> Person:
    return Person()
