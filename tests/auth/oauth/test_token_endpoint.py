"""The token endpoint (RFC 6749 §4.1.3, §5.1, §6): what is sent to it, and the tokens that come back."""

from __future__ import annotations

import pickle
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

import llm_orc
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.token_endpoint import (
    TokenEndpointError,
    refresh,
)
from llm_orc.auth.secret import Secret
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from tests.auth.oauth.fixtures import REDIRECT, exchange
from tests.fakes.clocks import SetTime
from tests.fakes.scripted_server import Scripted, tokens
from tests.net.certificates import self_signed


async def test_the_code_goes_in_the_body_with_its_verifier_and_no_client_secret(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/token", tokens())

    await exchange(client, http)

    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers
    assert asked.form == {
        "grant_type": "authorization_code",
        "code": "code-canary",
        "redirect_uri": REDIRECT,
        "client_id": "native-app",
        "code_verifier": "verifier-canary",
    }


async def test_a_server_that_wants_json_and_the_state_gets_both(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/token", tokens())
    wants_json = replace(
        client,
        token_request="json",
        state_in_token_request=True,
        extra_token_params={"audience": "api", "code": "x"},
    )

    await exchange(wants_json, http)

    (asked,) = server.asked
    assert asked.headers["content-type"] == "application/json"
    assert asked.json["state"] == "state-canary"
    assert asked.json["audience"] == "api"
    assert asked.json["code"] == "code-canary"


async def test_a_refresh_asks_for_no_scope_unless_it_is_to_shrink(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/token", tokens())

    await refresh(client, http, Secret("rt-1"))
    await refresh(client, http, Secret("rt-1"), ("chat",))

    same, smaller = server.asked
    assert same.form == {"grant_type": "refresh_token", "refresh_token": "rt-1", "client_id": "native-app"}
    assert smaller.form["scope"] == "chat"


@pytest.mark.parametrize(
    ("more", "expires_in"),
    [
        ({"expires_in": 3600}, 3600.0),
        ({"expires_in": "3600"}, 3600.0),
        ({"expires_in": 0.5}, 0.5),
        ({"expires_in": 0}, None),
        ({"expires_in": -1}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_in": None}, None),
        ({"expires_in": True}, None),
        ({"expires_in": [1]}, None),
        ({"expires_in": "nan"}, None),
        ({"expires_in": "inf"}, None),
        ({"expires_in": 10**400}, None),
        ({"expires_in": 10**12}, 10 * 365 * 86_400.0),
    ],
)
async def test_an_odd_lifetime_is_an_unknown_one(
    server: Scripted, http: Http, client: OAuthClient, more: dict[str, object], expires_in: float | None
) -> None:
    server.on("/token", tokens(**more))

    assert (await exchange(client, http)).expires_in == expires_in


@pytest.mark.parametrize(
    ("more", "scopes"),
    [
        ({}, None),
        ({"scope": "chat profile"}, ("chat", "profile")),
        ({"scope": ""}, ()),
        ({"scope": ["chat"]}, ("chat",)),
        ({"scope": 7}, None),
    ],
)
async def test_the_scopes_that_were_granted_are_told(
    server: Scripted, http: Http, client: OAuthClient, more: dict[str, object], scopes: tuple[str, ...] | None
) -> None:
    server.on("/token", tokens(**more))

    assert (await exchange(client, http)).scopes == scopes


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_token_type_is_read_in_any_case(
    server: Scripted, http: Http, client: OAuthClient, token_type: str
) -> None:
    server.on("/token", tokens(token_type=token_type))

    assert (await exchange(client, http)).token_type == "Bearer"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize(
    "token",
    ["two\nlines", "at\r\nx-evil: 1", "nul\x00", " blank", "blank ", "tab\t", "ümlaut", "\x7f", "x" * 70_000],
)
async def test_a_token_that_could_break_out_of_its_line_is_refused(
    server: Scripted, http: Http, client: OAuthClient, which: str, token: str
) -> None:
    server.on("/token", tokens(**{which: token}))

    with pytest.raises(TokenEndpointError, match="a token that can't be sent") as caught:
        await exchange(client, http)

    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("chat profile", ("chat", "profile")), ("chat \x1b[31m", ("chat",)), (["a", "b"], ("a", "b")), (7, None)],
)
async def test_scopes_are_those_that_can_be_some(
    server: Scripted, http: Http, client: OAuthClient, scope: object, scopes: tuple[str, ...] | None
) -> None:
    server.on("/token", tokens(scope=scope))

    assert (await exchange(client, http)).scopes == scopes


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", 7])
async def test_a_token_of_an_unknown_type_is_not_used(
    server: Scripted, http: Http, client: OAuthClient, token_type: object
) -> None:
    server.on("/token", tokens(token_type=token_type))

    with pytest.raises(TokenEndpointError) as caught:
        await exchange(client, http)

    assert caught.value.is_ambiguous
    assert "at-1" not in caught.value.message


@pytest.mark.parametrize(
    ("more", "refresh_token"), [({}, None), ({"refresh_token": "rt-2"}, "rt-2"), ({"refresh_token": ""}, None)]
)
async def test_a_refresh_token_that_is_left_out_is_none(
    server: Scripted, http: Http, client: OAuthClient, more: dict[str, object], refresh_token: str | None
) -> None:
    server.on("/token", tokens(**more))

    token = (await refresh(client, http, Secret("rt-1"))).refresh_token

    assert (token.reveal() if token else None) == refresh_token


async def test_times_are_counted_from_when_the_answer_came_and_the_servers_clock_is_noted(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    server.on("/token", replace(tokens(), headers={"date": formatdate(clock.now + 400, usegmt=True)}))

    token = await exchange(client, http, clock)

    assert token.received_at == clock.now
    assert token.date_skew_s == pytest.approx(400, abs=1)


async def test_unknown_fields_of_the_answer_are_dropped(server: Scripted, http: Http, client: OAuthClient) -> None:
    server.on("/token", tokens(id_token="id-canary", account={"email": "ada@example.com"}))

    token = await exchange(client, http)

    assert "id-canary" not in repr(token)
    assert "ada" not in repr(token)
    assert "at-1" not in repr(token)
    with pytest.raises(TypeError):
        pickle.dumps(token)


@pytest.mark.parametrize("url", ["http://as.example/token", "http://localhost:1/token", "ftp://as.example/t", ""])
async def test_tokens_are_asked_for_over_https_only(http: Http, client: OAuthClient, url: str) -> None:
    with pytest.raises(LoginFailed, match="token_endpoint"):
        await exchange(replace(client, token_endpoint=url), http)


async def test_certificates_are_checked_and_a_users_own_authority_may_be_added(
    tmp_path: Path, client: OAuthClient
) -> None:
    certificate, context = self_signed(tmp_path, "127.0.0.1")
    secure = Scripted()
    await secure.start(context)
    secure.on("/token", tokens())
    over_tls = replace(client, token_endpoint=f"{secure.url}/token")

    async with Http(NetworkSettings(), max_connections=2) as strict:
        with pytest.raises(TokenEndpointError) as caught:
            await refresh(over_tls, strict, Secret("rt-1"))
    asked_before = list(secure.asked)
    async with Http(NetworkSettings(ca_file=certificate), max_connections=2) as trusting:
        token = await refresh(over_tls, trusting, Secret("rt-1"))
    await secure.stop()

    assert not caught.value.was_sent
    assert asked_before == []
    assert token.access_token.reveal() == "at-1"


def test_the_package_has_no_word_for_a_client_secret_or_the_other_grants() -> None:
    package = Path(llm_orc.__file__).parent / "auth"

    sources = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))

    assert "client_secret" not in sources
    assert '"password"' not in sources
    assert "response_type=token" not in sources
