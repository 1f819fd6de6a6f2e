"""The sandbox's authorisation server as a client meets it: codes, tokens, refusals, devices, metadata."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llm_orc.sandbox.oauth.clients import CALLBACK_PAGE, CLIENT_ID, Client
from llm_orc.sandbox.oauth.grants import token_hash
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.fakes.clocks import SetTime
from tests.sandbox.oauth_calls import (
    CHALLENGE,
    REDIRECT_URI,
    VERIFIER,
    ask,
    authorize,
    came_back_with,
    exchange,
    poll,
    refresh,
    signed_in,
    token,
)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[OAuthServer]:
    oauth = OAuthServer(**{"auto_approve": True} | options)
    async with Sandbox(oauth=oauth):
        yield oauth


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


async def test_a_refresh_rotates_and_keeps_the_scope() -> None:
    async with serving() as oauth:
        tokens = await signed_in(oauth)
        said = await refresh(oauth, tokens["refresh_token"])

        assert said.json["refresh_token"] != tokens["refresh_token"]
        assert said.json["scope"] == "inference"
        assert oauth.token_state(said.json["access_token"]) == "live"
    assert (oauth.tokens_issued, oauth.families_alive) == (2, 1)


async def test_a_spent_refresh_token_ends_its_family_and_no_other() -> None:
    async with serving() as oauth:
        mine, theirs = await signed_in(oauth), await signed_in(oauth)
        rotated = await refresh(oauth, mine["refresh_token"])
        again = await refresh(oauth, mine["refresh_token"])
        newest = await refresh(oauth, rotated.json["refresh_token"])

        assert (again.status, again.json["error"]) == (400, "invalid_grant")
        assert newest.json == {"error": "invalid_grant", "error_description": "the refresh token was revoked"}
        assert oauth.token_state(rotated.json["access_token"]) == "revoked"
        assert oauth.token_state(theirs["access_token"]) == "live"
    assert [event.family for event in oauth.reuse_events] == [1]
    assert oauth.families_alive == 1


async def test_without_reuse_detection_a_spent_token_is_only_refused() -> None:
    async with serving(detects_reuse=False) as oauth:
        tokens = await signed_in(oauth)
        rotated = await refresh(oauth, tokens["refresh_token"])
        again = await refresh(oauth, tokens["refresh_token"])
        newest = await refresh(oauth, rotated.json["refresh_token"])

    assert again.json["error"] == "invalid_grant"
    assert newest.status == 200
    assert oauth.reuse_events == []


async def test_within_its_grace_a_spent_token_gets_tokens_again() -> None:
    clock = SetTime()
    async with serving(reuse_grace_s=30, clock=clock) as oauth:
        tokens = await signed_in(oauth)
        await refresh(oauth, tokens["refresh_token"])
        clock.now += 29
        within = await refresh(oauth, tokens["refresh_token"])
        clock.now += 2
        after = await refresh(oauth, tokens["refresh_token"])

    assert within.status == 200
    assert after.json["error"] == "invalid_grant"
    assert len(oauth.reuse_events) == 1


async def test_without_rotation_the_same_refresh_token_comes_back() -> None:
    async with serving(rotates=False) as oauth:
        tokens = await signed_in(oauth)
        first = await refresh(oauth, tokens["refresh_token"])
        second = await refresh(oauth, tokens["refresh_token"])

    assert first.json["refresh_token"] == second.json["refresh_token"] == tokens["refresh_token"]


async def test_a_refresh_may_leave_the_refresh_token_out_and_it_stays_good() -> None:
    async with serving(omits_refresh_token_on_refresh=True) as oauth:
        tokens = await signed_in(oauth)
        first = await refresh(oauth, tokens["refresh_token"])
        second = await refresh(oauth, tokens["refresh_token"])

    assert "refresh_token" in tokens
    assert "refresh_token" not in first.json
    assert second.status == 200


async def test_a_refresh_may_narrow_the_scope_and_not_widen_it() -> None:
    async with serving() as oauth:
        issued = oauth.issue_tokens()
        narrow = oauth.issue_tokens(scopes=["profile"])
        assert issued.refresh_token
        assert narrow.refresh_token
        narrowed = await refresh(oauth, issued.refresh_token, scope="profile")
        widened = await refresh(oauth, narrow.refresh_token, scope="profile inference")

        assert oauth.scopes_of(narrowed.json["access_token"]) == ("profile",)
    assert issued.scopes == ("inference", "profile")
    assert widened.json["error"] == "invalid_scope"


async def test_a_refresh_token_belongs_to_its_client() -> None:
    async with serving(clients=[Client(), Client("other")]) as oauth:
        tokens = await signed_in(oauth)
        said = await refresh(oauth, tokens["refresh_token"], client_id="other")

    assert said.json["error_description"] == "the refresh token belongs to another client"


@pytest.mark.parametrize(("lifetime_s", "written"), [(0.25, 0.25), (2, 2), (60.0, 60)])
async def test_access_tokens_live_as_long_as_told(lifetime_s: float, written: float) -> None:
    clock = SetTime()
    async with serving(access_token_lifetime_s=lifetime_s, clock=clock) as oauth:
        tokens = await signed_in(oauth)
        before = oauth.token_state(tokens["access_token"])
        clock.now += lifetime_s

        assert tokens["expires_in"] == written
        assert (before, oauth.token_state(tokens["access_token"])) == ("live", "expired")
    assert oauth.token_state("sandbox-at-guessed") == "unknown"


async def test_tokens_can_be_ended_from_outside() -> None:
    async with serving() as oauth:
        first, second = oauth.issue_tokens(), oauth.issue_tokens()
        oauth.expire_access_tokens()
        states = [oauth.token_state(first.access_token)]
        oauth.set_access_token_lifetime(5)
        assert first.refresh_token
        renewed = await refresh(oauth, first.refresh_token)
        oauth.revoke_everything()
        states.append(oauth.token_state(renewed.json["access_token"]))
        assert second.refresh_token
        refused = await refresh(oauth, second.refresh_token)

    assert states == ["expired", "revoked"]
    assert renewed.json["expires_in"] == 5
    assert refused.json["error"] == "invalid_grant"


async def test_revoking_a_refresh_token_ends_its_family_and_an_access_token_only_itself() -> None:
    async with serving() as oauth:
        one, other = await signed_in(oauth), await signed_in(oauth)
        family = await ask(
            "POST",
            oauth.revocation_endpoint,
            data={"client_id": CLIENT_ID, "token": one["refresh_token"], "token_type_hint": "refresh_token"},
        )
        access = await ask(
            "POST", oauth.revocation_endpoint, data={"client_id": CLIENT_ID, "token": other["access_token"]}
        )

        states = [oauth.token_state(tokens["access_token"]) for tokens in (one, other)]
        still = await refresh(oauth, other["refresh_token"])
    assert (family.status, family.body, access.status) == (200, "", 200)
    assert states == ["revoked", "revoked"]
    assert still.status == 200
    assert [request.was_ours for request in oauth.record.revocation_requests] == [True, True]
    assert oauth.record.revocation_requests[0].token_type_hint == "refresh_token"


async def test_revoking_what_is_unknown_is_answered_the_same() -> None:
    async with serving() as oauth:
        unknown = await ask("POST", oauth.revocation_endpoint, data={"client_id": CLIENT_ID, "token": "guessed"})
        nobody = await ask("POST", oauth.revocation_endpoint, data={"token": "guessed"})

    assert (unknown.status, unknown.body) == (200, "")
    assert (nobody.status, nobody.json["error"]) == (400, "invalid_request")
    assert [request.was_ours for request in oauth.record.revocation_requests] == [False]


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


# --- devices ----------------------------------------------------------------------------------------------


async def begin_on_device(oauth: OAuthServer, **changes: str) -> Any:
    said = await ask("POST", oauth.device_authorization_endpoint, data={"client_id": CLIENT_ID} | changes)
    return said.json


async def test_a_device_waits_for_its_person_and_signs_in_once() -> None:
    clock = SetTime()
    async with serving(auto_approve=False, clock=clock) as oauth:
        login = await begin_on_device(oauth, scope="inference")
        pending = await poll(oauth, login["device_code"])
        approved = oauth.approve_device(login["user_code"].lower().replace("-", ""))
        clock.now += 5
        tokens = await poll(oauth, login["device_code"])
        clock.now += 5
        again = await poll(oauth, login["device_code"])

    assert (login["interval"], login["expires_in"]) == (5, 600)
    assert login["verification_uri_complete"] == f"{login['verification_uri']}?user_code={login['user_code']}"
    assert pending["error"] == "authorization_pending"
    assert approved
    assert tokens["access_token"].startswith("sandbox-at-")
    assert again["error"] == "invalid_grant"


async def test_polling_too_fast_adds_five_seconds_for_good() -> None:
    clock = SetTime()
    async with serving(auto_approve=False, clock=clock) as oauth:
        login = await begin_on_device(oauth)
        answers = []
        for pause_s in (0, 4, 5, 10):
            clock.now += pause_s
            answers.append((await poll(oauth, login["device_code"]))["error"])

    assert answers == ["authorization_pending", "slow_down", "slow_down", "slow_down"]


async def test_a_device_that_keeps_the_longer_interval_is_served_again() -> None:
    clock = SetTime()
    async with serving(auto_approve=False, clock=clock) as oauth:
        login = await begin_on_device(oauth)
        answers = []
        for pause_s in (0, 4, 10):
            clock.now += pause_s
            answers.append((await poll(oauth, login["device_code"]))["error"])

    assert answers == ["authorization_pending", "slow_down", "authorization_pending"]


async def test_a_device_s_person_may_say_no_or_come_too_late() -> None:
    clock = SetTime()
    async with serving(auto_approve=False, device_lifetime_s=60, clock=clock) as oauth:
        denied, late = await begin_on_device(oauth), await begin_on_device(oauth)
        waiting = list(oauth.waiting_user_codes)
        oauth.deny_device(denied["user_code"])
        refusal = await poll(oauth, denied["device_code"])
        clock.now += 60
        too_late = await poll(oauth, late["device_code"])

        assert not oauth.approve_device(late["user_code"])
    assert waiting == [denied["user_code"], late["user_code"]]
    assert (refusal["error"], too_late["error"]) == ("access_denied", "expired_token")


async def test_a_device_is_approved_at_once_where_the_server_approves_by_itself() -> None:
    async with serving() as oauth:
        login = await begin_on_device(oauth)
        tokens = await poll(oauth, login["device_code"])

    assert tokens["scope"] == "inference profile"


async def test_others_can_wait_for_a_device_and_for_token_requests() -> None:
    async with serving(auto_approve=False) as oauth, asyncio.TaskGroup() as group:
        user_code = group.create_task(oauth.wait_for_device_login())
        requests = group.create_task(oauth.wait_for_token_requests(1, worked_on=True))
        login = await begin_on_device(oauth)
        await poll(oauth, login["device_code"])

    assert user_code.result() == login["user_code"]
    assert [request.outcome for request in requests.result()] == ["authorization_pending"]


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
