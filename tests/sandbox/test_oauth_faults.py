"""Every fault of the authorisation server, on the wire, and what it leaves behind at the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

import aiohttp
import pytest

from llm_orc.sandbox.faults import Delay, Garbage, Hang, Status
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.faults import (
    Altered,
    Dropped,
    LateAnswer,
    LostAnswer,
    OAuthEffect,
    OAuthError,
    OAuthFault,
    SentElsewhere,
)
from llm_orc.sandbox.oauth.id_tokens import AlteredIdToken
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.oauth_calls import ask, authorize, came_back_with, poll, refresh


@asynccontextmanager
async def meeting(*faults: OAuthFault) -> AsyncIterator[tuple[OAuthServer, str]]:
    """The server with these faults, and a refresh token of it."""
    oauth = OAuthServer(auto_approve=True, faults=faults)
    async with Sandbox(oauth=oauth):
        issued = oauth.issue_tokens()
        assert issued.refresh_token
        yield oauth, issued.refresh_token


async def test_a_busy_server_says_when_to_come_back_and_spends_nothing() -> None:
    async with meeting(OAuthFault(Status(429, retry_after_s=7), times=1)) as (oauth, refresh_token):
        busy = await refresh(oauth, refresh_token)
        later = await refresh(oauth, refresh_token)

    assert (busy.status, busy.headers["retry-after"]) == (429, "7")
    assert busy.json["error"]["message"] == "Rate limited. Please try again later."
    assert later.status == 200
    assert [request.outcome for request in oauth.token_requests] == ["status 429", "accepted"]


async def test_a_gateway_answers_in_html() -> None:
    async with meeting(OAuthFault(Status(503)), OAuthFault(Garbage(), "revoke")) as (oauth, refresh_token):
        broken = await refresh(oauth, refresh_token)
        portal = await ask("POST", oauth.revocation_endpoint, data={"client_id": CLIENT_ID, "token": "x"})

    assert (broken.status, broken.json, "<html>" in broken.body) == (503, None, True)
    assert (portal.status, portal.json) == (200, None)


@pytest.mark.parametrize(
    ("effect", "status", "body"),
    [(Status(400), 400, '{"error":"invalid_request"}'), (Status(502, body="oops"), 502, "oops")],
)
async def test_a_status_can_be_any_with_any_body(effect: Status, status: int, body: str) -> None:
    async with meeting(OAuthFault(effect)) as (oauth, refresh_token):
        said = await refresh(oauth, refresh_token)

    assert (said.status, said.body) == (status, body)


async def test_an_oauth_error_is_answered_without_spending_the_token() -> None:
    async with meeting(OAuthFault(OAuthError("invalid_grant"), times=1)) as (oauth, refresh_token):
        refused = await refresh(oauth, refresh_token)
        later = await refresh(oauth, refresh_token)

    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")
    assert later.status == 200


async def test_a_lost_answer_has_rotated_the_token_all_the_same() -> None:
    async with meeting(OAuthFault(LostAnswer(), times=1)) as (oauth, refresh_token):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await refresh(oauth, refresh_token)
        again = await refresh(oauth, refresh_token)

    lost, second = oauth.token_requests
    assert (lost.outcome, lost.fault) == ("accepted", "LostAnswer")
    assert (again.json["error"], second.outcome) == ("invalid_grant", "invalid_grant")
    assert len(oauth.reuse_events) == 1


async def test_what_was_dropped_before_has_spent_nothing() -> None:
    async with meeting(OAuthFault(Dropped(), times=1)) as (oauth, refresh_token):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await refresh(oauth, refresh_token)
        again = await refresh(oauth, refresh_token)

    assert again.status == 200
    assert oauth.token_requests[0].outcome == "dropped"
    assert oauth.reuse_events == []


async def test_a_delay_comes_before_the_work_and_a_late_answer_after_it() -> None:
    faults = (OAuthFault(Delay(0.2), times=1), OAuthFault(LateAnswer(0.2), times=1))
    async with meeting(*faults) as (oauth, refresh_token):
        async with asyncio.TaskGroup() as group:
            group.create_task(refresh(oauth, refresh_token))
            await oauth.wait_for_token_requests(1)
            outcome_while_delayed = oauth.token_requests[0].outcome
        async with asyncio.TaskGroup() as group:
            began_at = time.monotonic()
            group.create_task(refresh(oauth, "sandbox-rt-guessed"))
            await oauth.wait_for_token_requests(2, worked_on=True)
            decided_after_s = time.monotonic() - began_at

    assert outcome_while_delayed == ""
    assert oauth.token_requests[0].was_accepted
    assert decided_after_s < 0.2 <= time.monotonic() - began_at


@pytest.mark.parametrize(("effect", "is_spent"), [(Delay(60), False), (Hang(), False), (LateAnswer(60), True)])
async def test_who_goes_away_while_waiting_finds_the_token_spent_or_not(
    effect: OAuthEffect, is_spent: bool
) -> None:
    async with meeting(OAuthFault(effect, times=1)) as (oauth, refresh_token):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await refresh(oauth, refresh_token)
        again = await refresh(oauth, refresh_token)

    assert again.status == (400 if is_spent else 200)


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"expires_in": None}, "expires_in", None),
        ({"expires_in": "3600"}, "expires_in", "3600"),
        ({"expires_in": -1}, "expires_in", -1),
        ({"token_type": "bEARER"}, "token_type", "bEARER"),
        ({"refresh_token": None}, "refresh_token", None),
    ],
)
async def test_fields_of_an_answer_can_be_changed_or_left_out(
    fields: dict[str, str], name: str, value: object
) -> None:
    async with meeting(OAuthFault(Altered(fields))) as (oauth, refresh_token):
        said = await refresh(oauth, refresh_token)

    assert said.status == 200
    assert said.json.get(name) == value
    assert (name in said.json) is (value is not None)


@pytest.mark.parametrize(
    ("effect", "differences"),
    [
        (Altered({"state": "forged"}), {"state": "forged"}),
        (Altered({"state": None}), {"state": None}),
        (Altered({"iss": "https://evil.example"}), {"iss": "https://evil.example"}),
        (OAuthError("access_denied", "no"), {"error": "access_denied", "error_description": "no", "code": None}),
    ],
)
async def test_the_redirect_can_be_forged(effect: OAuthEffect, differences: dict[str, str | None]) -> None:
    async with meeting(OAuthFault(effect, "authorize", times=1)) as (oauth, _):
        forged = came_back_with(await authorize(oauth))
        right = came_back_with(await authorize(oauth))

    assert {name: forged.get(name) for name in differences} == differences
    assert set(right) == {"code", "state", "iss"}


async def test_the_browser_s_page_can_be_broken() -> None:
    async with meeting(OAuthFault(Status(500), "authorize")) as (oauth, _):
        page = await authorize(oauth)

    assert (page.status, "Something went wrong" in page.body) == (500, True)


@pytest.mark.parametrize(
    ("effect", "status"),
    [
        (Altered({"issuer": "https://evil.example"}), 200),
        (SentElsewhere("https://evil.example/"), 307),
        (Status(404), 404),
    ],
)
async def test_metadata_can_be_wrong_elsewhere_or_missing(effect: OAuthEffect, status: int) -> None:
    async with meeting(OAuthFault(effect, "metadata")) as (oauth, _):
        said = await ask("GET", f"{oauth.issuer}/.well-known/oauth-authorization-server")

    assert said.status == status
    assert "evil.example" in f"{said.headers}{said.body}" or status == 404


async def test_a_fault_meets_its_grant_after_letting_some_pass_and_can_be_added_later() -> None:
    pending = OAuthFault(OAuthError("authorization_pending"), grant_type="*device_code", after=1, times=1)
    async with meeting(pending) as (oauth, refresh_token):
        await refresh(oauth, refresh_token)
        oauth.add_fault(OAuthFault(OAuthError("slow_down"), grant_type="*device_code"))
        device = [(await poll(oauth, "x"))["error"] for _ in range(3)]

    assert oauth.token_requests[0].was_accepted
    assert device == ["slow_down", "authorization_pending", "slow_down"]


async def test_device_and_revocation_have_faults_of_their_own() -> None:
    faults = (OAuthFault(Status(503), "revoke"), OAuthFault(OAuthError("unauthorized_client"), "device"))
    async with meeting(*faults) as (oauth, refresh_token):
        revoked = await ask(
            "POST", oauth.revocation_endpoint, data={"client_id": CLIENT_ID, "token": refresh_token}
        )
        device = await ask("POST", oauth.device_authorization_endpoint, data={"client_id": CLIENT_ID})
        still = await refresh(oauth, refresh_token)

    assert revoked.status == 503
    assert device.json["error"] == "unauthorized_client"
    assert still.status == 200


def test_every_effect_is_met_in_this_file_or_where_id_tokens_are_checked() -> None:
    shown = {Status, Garbage, Delay, Hang, OAuthError, Dropped, LostAnswer, LateAnswer, Altered, SentElsewhere}
    elsewhere = {AlteredIdToken}  # in tests/auth/methods/test_registering_login.py

    assert set(get_args(OAuthEffect)) == shown | elsewhere
