"""Marker secrets go through every flow at debug level; nothing that is written or shown has them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable

import pytest

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.device import poll_for_token, request_device_code
from llm_orc.auth.oauth.revoke import revoke
from llm_orc.auth.oauth.token_endpoint import exchange_code, refresh
from llm_orc.auth.secret import Secret
from llm_orc.errors import AuthError
from llm_orc.net.http import Http
from tests.fakes.clocks import SetTime
from tests.fakes.scripted_server import Drop, Garbage, Reply, Scripted, Step, refusal, tokens

_SENT = Secret("sent-canary")
_GOOD = tokens(access_token="at-canary", refresh_token="rt-canary", id_token="id-canary")
_DEVICE = Reply(
    {
        "device_code": "sent-canary",
        "user_code": "ABCD",
        "verification_uri": "https://as.example/d",
        "expires_in": 60,
    }
)


async def exchanges(client: OAuthClient, http: Http, clock: SetTime) -> object:
    return await exchange_code(client, http, _SENT, _SENT, "http://127.0.0.1:1/callback", state=_SENT, clock=clock)


async def refreshes(client: OAuthClient, http: Http, clock: SetTime) -> object:
    return await refresh(client, http, _SENT, clock=clock)


async def revokes(client: OAuthClient, http: Http, clock: SetTime) -> object:
    return await revoke(client, http, refresh_token=_SENT, access_token=_SENT, clock=clock)


async def polls(client: OAuthClient, http: Http, clock: SetTime) -> object:
    device = await request_device_code(client, http, clock=clock)
    return device, await poll_for_token(client, http, device, clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize("flow", [exchanges, refreshes, revokes, polls])
@pytest.mark.parametrize(
    "step",
    [
        _GOOD,
        refusal("invalid_grant", "unknown: sent-canary"),
        refusal("sent-canary"),
        Reply(b"", 302, {"location": "https://elsewhere.example/sent-canary?x=sent-canary"}),
        Reply({"access_token": "at-canary", "token_type": "mac"}),
        Reply({"access_token": ["at-canary"]}),
        Reply(b"sent-canary", 400, content_type="text/plain"),
        Drop,
        Garbage,
    ],
)
async def test_no_secret_is_in_a_log_traceback_repr_or_address(
    server: Scripted,
    http: Http,
    client: OAuthClient,
    clock: SetTime,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    flow: Callable[[OAuthClient, Http, SetTime], Awaitable[object]],
    step: Step,
) -> None:
    server.on("/device", _DEVICE)
    server.on("/token", step)
    server.on("/revoke", step)

    with caplog.at_level(logging.DEBUG):
        try:
            seen = repr(await flow(client, http, clock))
        except AuthError:
            seen = traceback.format_exc()

    captured = capfd.readouterr()
    addresses = " ".join(asked.target for asked in server.asked)
    assert server.asked
    for place in (seen, caplog.text, captured.out, captured.err, addresses):
        assert "-canary" not in place
