"""Signing in on a device without a browser (RFC 8628), at the sandbox's authorisation server."""

from __future__ import annotations

import asyncio
from typing import Any

from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.fakes.clocks import SetTime
from tests.sandbox.oauth_calls import (
    ask,
    poll,
    serving,
)


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
