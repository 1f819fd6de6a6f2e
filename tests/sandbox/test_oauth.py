"""The sandbox's authorisation server as a client meets it: codes, tokens, refusals, metadata."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest

from llm_orc.sandbox.oauth.clients import CALLBACK_PAGE, CLIENT_ID, Client
from llm_orc.sandbox.oauth.grants import token_hash
from tests.fakes.clocks import SetTime
from tests.sandbox.oauth_calls import (
    CHALLENGE,
    REDIRECT_URI,
    VERIFIER,
    ask,
    authorize,
    came_back_with,
    exchange,
    refresh,
    serving,
    signed_in,
    token,
)


async def test_a_browser_comes_back_with_a_code_that_gets_tokens() -> None:
    async with serving() as oauth:
        back = came_back_with(await authorize(oauth))
        said = await exchange(oauth, back["code"])

    assert back["state"] == "state-1"
    assert back["iss"] == oauth.issuer
    assert said.status == 200
    assert said.headers["cache-control"] == "no-store"
    assert said.headers["x-llm-orc-sandbox"] == "canned"
    assert said.json["token_type"] == "Bearer"
    assert said.json["expires_in"] == 3600
    assert said.json["scope"] == "inference"
    assert said.json["access_token"].startswith("sandbox-at-")
    assert said.json["refresh_token"].startswith("sandbox-rt-")


async def test_token_requests_may_be_json_as_well_as_a_form() -> None:
    async with serving() as oauth:
        issued = oauth.issue_tokens()
        assert issued.refresh_token
        said = await refresh(oauth, issued.refresh_token, as_json=True)

    assert said.status == 200
    assert oauth.token_requests[0].content_type == "application/json"


async def test_requests_are_recorded_with_what_became_of_them() -> None:
    async with serving() as oauth:
        tokens = await signed_in(oauth)
        await refresh(oauth, tokens["refresh_token"])
        await refresh(oauth, tokens["refresh_token"])

    first, second, third = oauth.token_requests
    assert oauth.record.authorization_requests[0].parameters["code_challenge"] == CHALLENGE
    assert (first.grant_type, first.client_id, first.outcome) == ("authorization_code", CLIENT_ID, "accepted")
    assert first.parameters["redirect_uri"] == REDIRECT_URI
    assert second.refresh_token_hash == third.refresh_token_hash == token_hash(tokens["refresh_token"])
    assert second.was_accepted
    assert (third.outcome, third.reason) == (
        "invalid_grant",
        "reuse of a spent refresh token: family 1 is revoked",
    )
    assert oauth.refresh_count == 2
    assert tokens["refresh_token"] not in repr(oauth.token_requests)


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"response_type": "token"}, "unsupported_response_type", "only response_type=code is served"),
        ({"response_type": None}, "unsupported_response_type", "only response_type=code is served"),
        ({"code_challenge": None}, "invalid_request", "code challenge required"),
        ({"code_challenge_method": "plain"}, "invalid_request", "transform algorithm not supported"),
        ({"code_challenge_method": None}, "invalid_request", "transform algorithm not supported"),
        ({"scope": "inference admin"}, "invalid_scope", "unknown scope admin"),
    ],
)
async def test_a_wrong_authorization_request_comes_back_with_an_error(
    changes: dict[str, str | None], error: str, description: str
) -> None:
    async with serving() as oauth:
        back = came_back_with(await authorize(oauth, **changes))

    assert back == {"error": error, "error_description": description, "state": "state-1", "iss": oauth.issuer}


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/callback?x=1",
        "http://127.0.0.1:51004/callback#x",
        "https://127.0.0.1:51004/callback",
        "http://localhost:51004/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://evil@127.0.0.1:51004/callback",
        "http://evil.example/callback",
        "http://127.0.0.1:x/callback",
    ],
)
async def test_an_unregistered_redirect_uri_is_never_gone_to(redirect_uri: str | None) -> None:
    async with serving() as oauth:
        said = await authorize(oauth, redirect_uri=redirect_uri)

    assert said.status == 400
    assert "location" not in said.headers
    assert "has not registered the redirect URI" in said.body
    assert "evil@" not in said.body or "<a" not in said.body


@pytest.mark.parametrize("redirect_uri", ["http://127.0.0.1:1/callback", "http://[::1]:65535/callback"])
async def test_a_loopback_address_may_have_any_port(redirect_uri: str) -> None:
    async with serving() as oauth:
        said = await authorize(oauth, redirect_uri=redirect_uri)

    assert said.headers["location"].startswith(f"{redirect_uri}?code=sandbox-code-")


async def test_a_registered_address_elsewhere_must_match_to_the_letter() -> None:
    client = Client("theirs", ("https://app.example/cb", "http://localhost:1455/cb"))
    async with serving(clients=[client]) as oauth:
        same = await authorize(oauth, client_id="theirs", redirect_uri="https://app.example/cb")
        other_port = await authorize(oauth, client_id="theirs", redirect_uri="http://localhost:1456/cb")
        unknown = await authorize(oauth, client_id="<b>nobody")

    assert same.status == 302
    assert other_port.status == 400
    assert (unknown.status, "&lt;b&gt;nobody" in unknown.body) == (400, True)


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"code_verifier": VERIFIER[::-1]}, "code_verifier does not match the code_challenge"),
        ({"code_verifier": ""}, "code_verifier does not match the code_challenge"),
        ({"code_verifier": "ü" * 50}, "code_verifier does not match the code_challenge"),
        (
            {"redirect_uri": "http://127.0.0.1:51005/callback"},
            "redirect_uri is not the one of the authorization request",
        ),
        ({"client_id": "other"}, "the code belongs to another client"),
        ({"code": "sandbox-code-guessed"}, "unknown code"),
    ],
)
async def test_a_code_is_bound_to_the_request_that_got_it(changes: dict[str, str], description: str) -> None:
    async with serving(clients=[Client(), Client("other")]) as oauth:
        code = came_back_with(await authorize(oauth))["code"]
        said = await exchange(oauth, code, **changes)

    assert (said.status, said.json["error"]) == (400, "invalid_grant")
    assert said.json["error_description"] == description
    assert oauth.tokens_issued == 0


async def test_a_code_works_once_and_its_reuse_ends_what_it_got() -> None:
    async with serving() as oauth:
        code = came_back_with(await authorize(oauth))["code"]
        first = await exchange(oauth, code)
        second = await exchange(oauth, code)

        assert second.json["error_description"] == "the code was used before"
        assert oauth.token_state(first.json["access_token"]) == "revoked"
    assert oauth.families_alive == 0


async def test_a_code_expires() -> None:
    clock = SetTime()
    async with serving(clock=clock, code_lifetime_s=60) as oauth:
        code = came_back_with(await authorize(oauth))["code"]
        clock.now += 60
        said = await exchange(oauth, code)

    assert said.json["error_description"] == "the code has expired"


async def test_a_client_without_pkce_is_served_where_that_was_asked_for_and_can_not_add_it_later() -> None:
    async with serving(requires_pkce=False) as oauth:
        plain = came_back_with(await authorize(oauth, code_challenge=None, code_challenge_method=None))["code"]
        other = came_back_with(await authorize(oauth, code_challenge=None, code_challenge_method=None))["code"]
        without = await exchange(oauth, plain, code_verifier="")
        later = await exchange(oauth, other)

    assert without.status == 200
    assert later.json["error"] == "invalid_grant"


async def test_a_server_that_does_not_know_s256_says_so() -> None:
    async with serving(supports_s256=False) as oauth:
        back = came_back_with(await authorize(oauth))
        metadata = (await ask("GET", f"{oauth.issuer}/.well-known/oauth-authorization-server")).json

    assert back["error_description"] == "transform algorithm not supported"
    assert metadata["code_challenge_methods_supported"] == ["plain"]


@pytest.mark.parametrize(
    ("parameters", "status", "error"),
    [
        ({"grant_type": "refresh_token", "client_id": ""}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "client_secret": "hunter2"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "sandbox-rt-guessed"}, 400, "invalid_grant"),
        ({"grant_type": "password", "username": "a", "password": "b"}, 400, "unsupported_grant_type"),
        ({}, 400, "invalid_request"),
    ],
)
async def test_a_wrong_token_request_is_refused_as_the_rfc_says(
    parameters: dict[str, str], status: int, error: str
) -> None:
    async with serving() as oauth:
        said = await token(oauth, parameters)

    assert (said.status, said.json["error"]) == (status, error)
    assert oauth.token_requests[0].outcome == error
    assert "hunter2" not in said.body


@pytest.mark.parametrize(
    "body",
    [
        {"data": b"{", "headers": {"content-type": "application/json"}},
        {"data": b"[1]", "headers": {"content-type": "application/json"}},
        {"data": b"\xff", "headers": {"content-type": "application/json"}},
        {"data": b"<a/>", "headers": {"content-type": "application/xml"}},
        {"data": b"client_id=a&client_id=b", "headers": {"content-type": "application/x-www-form-urlencoded"}},
    ],
)
@pytest.mark.parametrize("endpoint", ["token_endpoint", "revocation_endpoint", "device_authorization_endpoint"])
async def test_a_body_that_cannot_be_read_is_an_invalid_request(body: dict[str, Any], endpoint: str) -> None:
    async with serving() as oauth:
        said = await ask("POST", getattr(oauth, endpoint), **body)

    assert (said.status, said.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["", "/tenant"])
async def test_metadata_is_found_where_both_standards_look(path: str) -> None:
    async with serving(issuer_path=path) as oauth:
        origin = oauth.issuer.removesuffix(path)
        places = [
            f"{origin}/.well-known/oauth-authorization-server{path}",
            f"{origin}{path}/.well-known/openid-configuration",
        ]
        found = [(await ask("GET", place)).json for place in places]

    assert found[0] == found[1]
    assert found[0]["issuer"] == f"{origin}{path}"
    assert found[0]["token_endpoint"] == oauth.token_endpoint
    assert found[0]["authorization_response_iss_parameter_supported"] is True
    assert found[0]["token_endpoint_auth_methods_supported"] == ["none"]
    assert len(oauth.record.metadata_requests) == 2


async def test_iss_is_left_out_and_not_advertised_where_told() -> None:
    async with serving(sends_iss=False) as oauth:
        back = came_back_with(await authorize(oauth))
        metadata = (await ask("GET", f"{oauth.issuer}/.well-known/oauth-authorization-server")).json

    assert "iss" not in back
    assert metadata["authorization_response_iss_parameter_supported"] is False


async def test_the_date_header_is_as_far_off_as_told() -> None:
    async with serving(date_skew_s=-600) as oauth:
        said = await refresh(oauth, "sandbox-rt-guessed")

    date = email.utils.parsedate_to_datetime(said.headers["date"]).timestamp()
    assert -605 < date - time.time() < -595


async def test_waiting_for_what_does_not_come_ends() -> None:
    async with serving() as oauth:
        with pytest.raises(TimeoutError):
            await oauth.wait_for_token_requests(1, timeout_s=0.01)


async def test_without_keeping_requests_only_their_number_is_known() -> None:
    async with serving(keep_requests=False) as oauth:
        tokens = await signed_in(oauth)
        await refresh(oauth, tokens["refresh_token"])

    assert oauth.token_requests == []
    assert oauth.record.authorization_requests == []
    assert (oauth.refresh_count, oauth.tokens_issued) == (1, 2)


async def test_two_logins_at_once_can_not_cross_their_codes() -> None:
    other = "a" * 43
    async with serving() as oauth:
        code = came_back_with(await authorize(oauth))["code"]
        crossed = await exchange(oauth, code, code_verifier=other)

    assert crossed.json["error"] == "invalid_grant"


async def test_the_hosted_page_is_a_registered_redirect() -> None:
    async with serving() as oauth:
        page = oauth.authorization_endpoint.removesuffix("/oauth/authorize") + CALLBACK_PAGE
        said = await authorize(oauth, redirect_uri=page)

    assert said.headers["location"].startswith(f"{page}?code=")
