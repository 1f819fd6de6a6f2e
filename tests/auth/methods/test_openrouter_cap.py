"""The spend cap that a sign-in at OpenRouter asks for, and what is made of the provider's word on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest

from llm_orc.auth.methods.base import Login
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.openrouter import OpenRouterLogin
from llm_orc.auth.methods.spend_cap import SpendCap
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.fakes.people import Person, visit
from tests.fakes.scripted_server import Drop, Reply, Scripted, Step

_REMOTE = BrowserChances(may_open=False, offers_paste=True, reason="this is a container")
_KEYS, _KEY = "/api/v1/auth/keys", "/api/v1/key"
END = "2027-01-31T23:59:59Z"

SignIn = Callable[[SpendCap | None], "asyncio.Future[tuple[dict[str, str], Login]]"]


@pytest.fixture
def sign_in(server: Scripted, http: Http, person: Person) -> SignIn:
    server.on(_KEYS, Reply({"key": "sk-or-canary"}))
    client = OAuthClient(
        provider="acme", authorization_endpoint=f"{server.url}/auth", token_endpoint=f"{server.url}{_KEYS}"
    )

    async def go(cap: SpendCap | None) -> tuple[dict[str, str], Login]:
        options = VisitOptions("acme", _REMOTE, limit_s=20)
        task = asyncio.create_task(
            OpenRouterLogin(client, http, options, cap, f"{server.url}{_KEY}").log_in(person)
        )
        asked = dict(parse_qsl(urlsplit(await person.urls.get()).query))
        await visit(f"{asked['callback_url']}?code=code-canary")
        return asked, await task

    return lambda cap: asyncio.ensure_future(go(cap))


@pytest.mark.parametrize(
    ("cap", "params"),
    [
        (SpendCap(5, "monthly"), {"limit": "5", "usage_limit_type": "monthly"}),
        (SpendCap(2.5), {"limit": "2.5"}),
        (SpendCap(5, "daily", END), {"limit": "5", "usage_limit_type": "daily", "expires_at": END}),
        (SpendCap(expires_at=END), {"expires_at": END}),
    ],
)
async def test_the_page_is_asked_for_it(
    server: Scripted, sign_in: SignIn, cap: SpendCap, params: dict[str, str]
) -> None:
    server.on(_KEY, Reply({"data": {"limit": cap.limit_usd, "limit_reset": cap.period, "expires_at": END}}))

    asked, login = await sign_in(cap)

    fields = {"limit", "usage_limit_type", "expires_at"}
    assert {name: value for name, value in asked.items() if name in fields} == params
    assert server.to(_KEY)[0].headers["authorization"] == "Bearer sk-or-canary"
    assert login.spend_cap == SpendCap(cap.limit_usd, cap.period, END).words


async def test_without_a_cap_nothing_of_it_is_sent_or_asked(server: Scripted, sign_in: SignIn) -> None:
    asked, login = await sign_in(None)

    assert {"limit", "usage_limit_type", "expires_at"}.isdisjoint(asked)
    assert (server.to(_KEY), login.spend_cap) == ([], "")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"limit": 5, "limit_reset": "monthly"}, "at most $5 each month"),
        ({"limit": 20, "limit_reset": None, "expires_at": None}, "at most $20 in total"),
        ({"limit": 5, "limit_reset": "fortnightly"}, "at most $5 in total"),
    ],
)
async def test_what_the_provider_tells_is_kept_not_what_was_asked(
    server: Scripted, sign_in: SignIn, told: dict[str, object], words: str
) -> None:
    server.on(_KEY, Reply({"data": told}))

    _, login = await sign_in(SpendCap(5, "monthly"))

    assert login.spend_cap == words


async def test_a_key_without_the_cap_that_was_asked_for_is_not_taken(server: Scripted, sign_in: SignIn) -> None:
    server.on(_KEY, Reply({"data": {"limit": None}}))

    with pytest.raises(LoginFailed, match="no spend cap") as refused:
        await sign_in(SpendCap(5, "monthly"))

    assert (refused.value.error, "canary" in str(refused.value)) == ("no_cap", False)


@pytest.mark.parametrize(
    "step", [Reply({"error": "x"}, 500), Reply(b"<html>"), Reply({"data": {"limit": "5"}}), Drop()]
)
async def test_an_answer_that_says_nothing_of_it_confirms_nothing(
    server: Scripted, sign_in: SignIn, step: Step
) -> None:
    server.on(_KEY, step)

    _, login = await sign_in(SpendCap(5, "monthly"))

    assert login.spend_cap == "at most $5 each month, as asked for; the provider did not confirm it"


async def test_an_end_that_was_asked_for_and_is_not_told_is_said(server: Scripted, sign_in: SignIn) -> None:
    server.on(_KEY, Reply({"data": {"limit": 5, "limit_reset": "monthly", "expires_at": None}}))

    _, login = await sign_in(SpendCap(5, "monthly", END))

    assert login.spend_cap == "at most $5 each month; it has no end, although one was asked for"
