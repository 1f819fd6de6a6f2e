"""Our client at a server that somebody else wrote: Authlib, over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from llm_orc.auth.oauth.authorize import AuthorizationAttempt, AuthorizationCode
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.loopback import Loopback
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.revoke import revoke
from llm_orc.auth.oauth.token_endpoint import TokenEndpointError, TokenResponse, exchange_code, refresh
from llm_orc.auth.secret import Secret
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.fakes.authlib_server import CLIENT_ID, Issued, install
from tests.fakes.people import redirect_of, visit
from tests.fakes.scripted_server import Scripted


@pytest.fixture
def issued(server: Scripted) -> Issued:
    return install(server)


@pytest.fixture
async def authlib(server: Scripted, http: Http, issued: Issued) -> OAuthClient:
    bare = OAuthClient(provider="acme", client_id=CLIENT_ID, issuer=server.url, scopes=("chat",))
    return await resolve(bare, http)


async def code_from(client: OAuthClient) -> AuthorizationCode:
    """Go through the sign-in page; the redirect is read without a listener."""
    attempt = AuthorizationAttempt(client, "http://127.0.0.1:50123/callback")
    return attempt.accept_query(urlsplit(await redirect_of(attempt.url)).query)


async def redeem(client: OAuthClient, http: Http, code: AuthorizationCode) -> TokenResponse:
    return await exchange_code(client, http, code.code, code.verifier, code.redirect_uri, state=code.state)


async def test_a_whole_sign_in_through_loopback(
    server: Scripted, http: Http, authlib: OAuthClient, issued: Issued
) -> None:
    async with Loopback[AuthorizationCode]() as loopback:
        attempt = AuthorizationAttempt(authlib, loopback.redirect_uri)
        browser = asyncio.ensure_future(visit(attempt.url))
        code = await loopback.callback(attempt.accept_query)
        token = await redeem(authlib, http, code)
        loopback.tell_worked()
    page = await browser

    assert page.status == 200
    assert token.access_token.reveal() == issued.tokens[0].access_token
    assert token.scopes == ("chat",)
    assert abs(token.date_skew_s or 0) < 5
    asked_for = server.to("/authorize")[0].query["redirect_uri"]
    assert server.to("/token")[0].form["redirect_uri"] == asked_for == loopback.redirect_uri


async def test_a_sign_in_that_is_denied_is_told(authlib: OAuthClient, issued: Issued) -> None:
    issued.is_denied = True

    with pytest.raises(LoginFailed) as caught:
        await code_from(authlib)

    assert caught.value.error == "access_denied"


async def test_the_server_names_itself_and_is_believed_by_its_exact_name(authlib: OAuthClient) -> None:
    assert authlib.requires_iss

    assert (await code_from(authlib)).code
    with pytest.raises(LoginFailed) as caught:
        await code_from(replace(authlib, issuer="https://another.example"))

    assert caught.value.error == "iss_mismatch"


async def test_a_code_with_the_verifier_of_another_sign_in_is_worthless(http: Http, authlib: OAuthClient) -> None:
    mine, other = await code_from(authlib), await code_from(authlib)

    with pytest.raises(TokenEndpointError) as caught:
        await redeem(authlib, http, replace(mine, verifier=other.verifier))

    assert caught.value.is_permanent
    assert caught.value.error == "invalid_grant"


async def test_a_code_works_once(http: Http, authlib: OAuthClient) -> None:
    code = await code_from(authlib)
    await redeem(authlib, http, code)

    with pytest.raises(TokenEndpointError) as caught:
        await redeem(authlib, http, code)

    assert caught.value.is_permanent


async def test_the_redirect_must_be_the_one_that_was_asked_with(http: Http, authlib: OAuthClient) -> None:
    code = await code_from(authlib)

    with pytest.raises(TokenEndpointError):
        await redeem(authlib, http, replace(code, redirect_uri="http://127.0.0.1:50124/callback"))


async def test_each_refresh_brings_a_new_refresh_token_and_ends_the_old(http: Http, authlib: OAuthClient) -> None:
    first = await redeem(authlib, http, await code_from(authlib))
    assert first.refresh_token is not None

    second = await refresh(authlib, http, first.refresh_token)

    assert second.refresh_token not in {None, first.refresh_token}
    assert second.access_token != first.access_token
    with pytest.raises(TokenEndpointError) as caught:
        await refresh(authlib, http, first.refresh_token)
    assert caught.value.is_permanent


async def test_a_refresh_may_ask_for_less_but_not_for_more(http: Http, authlib: OAuthClient) -> None:
    both = replace(authlib, scopes=("chat", "profile"))
    token = await redeem(both, http, await code_from(both))
    assert token.refresh_token is not None

    less = await refresh(both, http, token.refresh_token, ("chat",))

    assert less.scopes == ("chat",)
    assert less.refresh_token is not None
    with pytest.raises(TokenEndpointError) as caught:
        await refresh(both, http, less.refresh_token, ("chat", "profile"))
    assert caught.value.error == "invalid_scope"


async def test_a_revoked_refresh_token_is_dead_and_revoking_it_again_is_confirmed(
    http: Http, authlib: OAuthClient, issued: Issued
) -> None:
    token = await redeem(authlib, http, await code_from(authlib))
    assert token.refresh_token is not None

    once = await revoke(authlib, http, refresh_token=token.refresh_token, access_token=token.access_token)
    twice = await revoke(authlib, http, refresh_token=token.refresh_token, access_token=token.access_token)

    assert once.is_confirmed
    assert twice.is_confirmed
    assert issued.tokens[0].is_revoked
    with pytest.raises(TokenEndpointError) as caught:
        await refresh(authlib, http, token.refresh_token)
    assert caught.value.is_permanent


async def test_an_unknown_client_is_rejected_without_harm_to_the_token(http: Http, authlib: OAuthClient) -> None:
    with pytest.raises(TokenEndpointError) as caught:
        await refresh(replace(authlib, client_id="nobody"), http, Secret("rt-1"))

    assert caught.value.error == "invalid_client"
    assert not caught.value.is_permanent


async def test_two_sign_ins_at_once_do_not_mix(http: Http, authlib: OAuthClient) -> None:
    one = AuthorizationAttempt(authlib, "http://127.0.0.1:50123/callback")
    other = AuthorizationAttempt(authlib, "http://127.0.0.1:50124/callback")
    answer_to_other = urlsplit(await redirect_of(other.url)).query

    with pytest.raises(LoginFailed):
        one.accept_query(answer_to_other)

    crossed = replace(
        one.accept_query(urlsplit(await redirect_of(one.url)).query),
        code=Secret(dict(parse_qsl(answer_to_other))["code"]),
    )
    with pytest.raises(TokenEndpointError):
        await redeem(authlib, http, crossed)
    assert (await redeem(authlib, http, other.accept_query(answer_to_other))).access_token
