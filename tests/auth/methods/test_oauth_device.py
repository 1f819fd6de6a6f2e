"""Signing in on another device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.oauth_device import DeviceLogin
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.auth.methods import suite
from tests.fakes.clocks import SetTime
from tests.fakes.people import Person
from tests.fakes.scripted_server import Reply, Scripted, Silence, refusal, tokens

_OPTIONS = VisitOptions("acme", BrowserChances(may_open=True, offers_paste=False))
_CODE = Reply(
    {
        "device_code": "device-canary",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://as.example/device",
        "verification_uri_complete": "https://as.example/device?user_code=WDJB-MJHT",
        "expires_in": 900,
    }
)

LogIn = Callable[..., DeviceLogin]


@pytest.fixture
def way(server: Scripted, http: Http, client: OAuthClient, clock: SetTime) -> LogIn:
    server.on("/device", _CODE)
    server.on("/token", refusal("authorization_pending"), tokens(access_token="at-canary", scope="chat"))

    def build(options: VisitOptions = _OPTIONS) -> DeviceLogin:
        return DeviceLogin(client, http, options, clock=clock, sleep=clock.sleep)

    return build


async def test_the_code_and_its_page_are_shown_even_where_the_complete_page_opens(
    way: LogIn, person: Person
) -> None:
    person.browses = lambda url: True

    login = await suite.brings_a_credential(way(), person)

    (shown,) = person.devices
    assert (shown.user_code, shown.verification_uri) == ("WDJB-MJHT", "https://as.example/device")
    assert person.opened == ["https://as.example/device?user_code=WDJB-MJHT"]
    assert isinstance(login.credential, OAuthToken)
    assert login.scopes == ("chat",)


@pytest.mark.parametrize(
    "options",
    [replace(_OPTIONS, no_browser=True), replace(_OPTIONS, browser=BrowserChances(False, True, "no display"))],
)
async def test_no_browser_opens_where_none_is_wanted(way: LogIn, person: Person, options: VisitOptions) -> None:
    await way(options).log_in(person)

    assert person.opened == []
    assert len(person.devices) == 1


async def test_without_a_terminal_it_fails_at_once(way: LogIn, server: Scripted) -> None:
    error = await suite.refuses_without_a_person(way())

    assert "--device --no-browser" in str(error.hint)
    assert server.asked == []


async def test_without_a_terminal_but_with_no_browser_it_shows_the_code_and_waits(way: LogIn) -> None:
    nobody = Person(is_interactive=False)

    login = await way(replace(_OPTIONS, no_browser=True)).log_in(nobody)

    assert len(nobody.devices) == 1
    assert isinstance(login.credential, OAuthToken)


async def test_what_the_server_refuses_becomes_a_failed_login(
    server: Scripted, way: LogIn, person: Person
) -> None:
    server.on("/device", refusal("invalid_client", status=401))

    with pytest.raises(LoginFailed) as caught:
        await way().log_in(person)

    assert caught.value.error == "invalid_client"
    assert "providers.acme.oauth" in str(caught.value.hint)


async def test_it_leaves_nothing_when_cancelled(
    server: Scripted, http: Http, client: OAuthClient, person: Person
) -> None:
    server.on("/device", _CODE)
    server.on("/token", Silence)

    async def never(seconds: float) -> None:
        await asyncio.Event().wait()

    await suite.leaves_nothing_when_cancelled(
        DeviceLogin(client, http, _OPTIONS, sleep=never), person, lambda: bool(person.opened)
    )
