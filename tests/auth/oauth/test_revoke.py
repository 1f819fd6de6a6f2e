"""Token revocation: RFC 7009. What is said about it is true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.revoke import Revocation, revoke
from llm_orc.auth.secret import Secret
from llm_orc.net.http import Http
from tests.fakes.clocks import SetTime
from tests.fakes.scripted_server import Drop, Reply, Scripted, Silence, Step, refusal

_OK = Reply(b"")


async def end(client: OAuthClient, http: Http, refresh_token: str | None = "rt-canary") -> Revocation:
    return await revoke(
        client,
        http,
        refresh_token=Secret(refresh_token) if refresh_token else None,
        access_token=Secret("at-canary"),
        clock=SetTime(),
    )


async def test_the_refresh_token_goes_first_then_the_access_token(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/revoke", _OK)

    revocation = await end(client, http)

    assert revocation == Revocation(is_confirmed=True)
    first, second = server.asked
    assert first.form == {"token": "rt-canary", "token_type_hint": "refresh_token", "client_id": "native-app"}
    assert second.form["token"] == "at-canary"


async def test_an_access_token_alone_is_revoked_too(server: Scripted, http: Http, client: OAuthClient) -> None:
    server.on("/revoke", _OK)

    assert (await end(client, http, None)).is_confirmed
    assert [asked.form["token"] for asked in server.asked] == ["at-canary"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (refusal("invalid_client", status=401), "invalid_client"),
        (refusal("invalid_request", "rt-canary is \x1b bad"), "invalid_request"),
        (Reply(b"<html>", 500, content_type="text/html"), "status 500"),
        (Reply(b"", 302, {"location": "https://elsewhere.example"}), "status 302"),
        (Drop, "no answer"),
        (Silence, "no answer"),
    ],
)
async def test_what_the_server_did_not_confirm_is_not_said_to_be(
    server: Scripted, http: Http, client: OAuthClient, step: Step, words: str
) -> None:
    server.on("/revoke", step)

    revocation = await end(client, http)

    assert not revocation.is_confirmed
    assert words in revocation.reason
    assert "canary" not in revocation.reason
    assert "\x1b" not in revocation.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "120"}, 120.0), ({}, 60.0)])
async def test_a_busy_server_still_knows_the_token(
    server: Scripted, http: Http, client: OAuthClient, headers: dict[str, str], seconds: float
) -> None:
    server.on("/revoke", Reply(b"", 503, headers))

    revocation = await end(client, http)

    assert (revocation.is_confirmed, revocation.retry_after_s) == (False, seconds)


async def test_an_access_token_that_can_not_be_revoked_runs_out_by_itself(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/revoke", _OK, refusal("unsupported_token_type"))

    revocation = await end(client, http)

    assert revocation.is_confirmed
    assert "access tokens" in revocation.reason


async def test_a_refresh_token_that_can_not_be_revoked_is_told(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/revoke", refusal("unsupported_token_type"))

    revocation = await end(client, http)

    assert not revocation.is_confirmed
    assert "refresh tokens" in revocation.reason


@pytest.mark.parametrize("endpoint", [None, "http://as.example/revoke"])
async def test_without_a_safe_endpoint_nothing_is_sent(
    server: Scripted, http: Http, client: OAuthClient, endpoint: str | None
) -> None:
    revocation = await end(replace(client, revocation_endpoint=endpoint), http)

    assert not revocation.is_confirmed
    assert revocation.reason


async def test_an_unreachable_server_is_told(http: Http, client: OAuthClient) -> None:
    gone = Scripted()
    await gone.start()
    await gone.stop()

    revocation = await end(replace(client, revocation_endpoint=f"{gone.url}/revoke"), http)

    assert not revocation.is_confirmed
    assert "no answer" in revocation.reason
