"""What a person sees at the sandbox's authorisation server, and what their answer does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from llm_orc.sandbox.oauth.clients import CALLBACK_PAGE, CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.oauth_calls import Said, ask, authorize, came_back_with, exchange, poll


@pytest.fixture
async def oauth() -> AsyncIterator[OAuthServer]:
    oauth = OAuthServer()
    async with Sandbox(oauth=oauth):
        yield oauth


def hidden(page: Said) -> dict[str, str]:
    return dict(re.findall(r'<input type=hidden name="([^"]+)" value="([^"]+)">', page.body))


async def answer(oauth: OAuthServer, page: Said, decision: str) -> Said:
    action = re.search(r'action="([^"]+)"', page.body)
    assert action
    return await ask("POST", oauth.issuer + action[1], data={**hidden(page), "decision": decision})


async def test_the_page_says_who_asks_for_what_and_that_it_is_the_sandbox(oauth: OAuthServer) -> None:
    page = await authorize(oauth)

    assert page.status == 200
    assert CLIENT_ID in page.body
    assert "inference" in page.body
    assert "This is the llm-orc sandbox" in page.body


async def test_the_page_loads_nothing_from_elsewhere_and_can_not_be_framed(oauth: OAuthServer) -> None:
    page = await authorize(oauth)

    assert not re.search(r"src=|<link|<script|url\(|https?://", page.body)
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


async def test_allow_comes_back_with_a_code_that_works(oauth: OAuthServer) -> None:
    page = await authorize(oauth)
    back = came_back_with(await answer(oauth, page, "allow"))

    assert (await exchange(oauth, back["code"])).status == 200
    assert (back["state"], back["iss"]) == ("state-1", oauth.issuer)


async def test_deny_comes_back_with_access_denied(oauth: OAuthServer) -> None:
    page = await authorize(oauth)
    back = came_back_with(await answer(oauth, page, "deny"))

    assert (back["error"], back["state"]) == ("access_denied", "state-1")
    assert "code" not in back


async def test_an_answer_counts_once(oauth: OAuthServer) -> None:
    page = await authorize(oauth)
    await answer(oauth, page, "deny")
    second = await answer(oauth, page, "allow")

    assert second.status == 400
    assert "was used before" in second.body


async def test_the_hosted_page_shows_the_code_and_its_state_to_copy(oauth: OAuthServer) -> None:
    hosted = oauth.issuer + CALLBACK_PAGE
    page = await authorize(oauth, redirect_uri=hosted, state="a<b>&c")
    back = await answer(oauth, page, "allow")
    shown = await ask("GET", back.headers["location"])

    code = came_back_with(back)["code"]
    assert f"<code>{code}#a&lt;b&gt;&amp;c</code>" in shown.body
    assert (await exchange(oauth, code, redirect_uri=hosted)).status == 200


async def test_the_hosted_page_tells_when_there_is_no_code(oauth: OAuthServer) -> None:
    denied = await ask("GET", oauth.issuer + CALLBACK_PAGE, params={"error": "access_denied"})

    assert denied.status == 400
    assert "access_denied" in denied.body


@pytest.mark.parametrize(
    ("decision", "said", "polled"),
    [("allow", "You are signed in.", "access_token"), ("deny", "You said no.", "error")],
)
async def test_a_device_s_page_takes_the_code_and_the_answer(
    oauth: OAuthServer, decision: str, said: str, polled: str
) -> None:
    login = (await ask("POST", oauth.device_authorization_endpoint, data={"client_id": CLIENT_ID})).json
    empty = await ask("GET", login["verification_uri"])
    page = await ask("GET", login["verification_uri_complete"])
    answered = await answer(oauth, page, decision)
    again = await answer(oauth, page, decision)
    tokens = await poll(oauth, login["device_code"])

    assert "name=user_code" in empty.body
    assert said in answered.body
    assert again.status == 400
    assert polled in tokens


async def test_a_device_s_page_refuses_a_code_that_nobody_waits_for(oauth: OAuthServer) -> None:
    page = await ask("GET", f"{oauth.issuer}/oauth/device/verify", params={"user_code": "<i>"})

    assert page.status == 400
    assert "&lt;i&gt;" in page.body
