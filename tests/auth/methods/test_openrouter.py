"""OpenRouter's own sign-in: no state, so a nonce in the path; an API key at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.openrouter import OpenRouterLogin
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.pkce import challenge_of
from llm_orc.auth.secret import Secret
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.auth.methods import suite
from tests.fakes.clocks import SetTime
from tests.fakes.people import Person, visit
from tests.fakes.scripted_server import Drop, Reply, Scripted, Step

_REMOTE = BrowserChances(may_open=False, offers_paste=True, reason="this is a container")
_KEYS = "/api/v1/auth/keys"

LogIn = Callable[..., OpenRouterLogin]


@pytest.fixture
def way(server: Scripted, http: Http, clock: SetTime) -> LogIn:
    server.on(_KEYS, Reply({"key": "sk-or-canary", "user_id": "user_1"}))
    client = OAuthClient(
        provider="acme",
        authorization_endpoint=f"{server.url}/auth",
        token_endpoint=f"{server.url}{_KEYS}",
        extra_authorize_params={"key_label": "llm-orc"},
    )

    def build(**options: object) -> OpenRouterLogin:
        chosen = replace(VisitOptions("acme", _REMOTE, limit_s=20), **options)  # type: ignore[arg-type]
        return OpenRouterLogin(client, http, chosen, clock=clock, sleep=clock.sleep)

    return build


def asked_in(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def test_a_code_becomes_a_key(server: Scripted, way: LogIn, person: Person) -> None:
    task = asyncio.create_task(suite.brings_a_credential(way(), person))
    asked = asked_in(await person.urls.get())

    page = await visit(f"{asked['callback_url']}?code=code-canary")
    login = await task

    body = server.to(_KEYS)[0].json
    assert login.credential == ApiKey(Secret("sk-or-canary"))
    assert (page.status, "canary" in page.text) == (200, False)
    assert set(body) == {"code", "code_verifier", "code_challenge_method"}
    assert (body["code"], body["code_challenge_method"]) == ("code-canary", "S256")
    assert challenge_of(body["code_verifier"]) == asked["code_challenge"]
    assert asked["key_label"] == "llm-orc"


async def test_the_nonce_in_the_path_has_128_bits_and_is_new_each_time(way: LogIn) -> None:
    paths = set()
    for person in (Person(), Person()):
        task = asyncio.create_task(way().log_in(person))
        paths.add(urlsplit(asked_in(await person.urls.get())["callback_url"]).path)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert len(paths) == 2
    assert all(len(path.removeprefix("/callback/")) == 22 for path in paths)


async def test_a_callback_without_the_nonce_is_not_found_and_sends_nothing(
    server: Scripted, way: LogIn, person: Person
) -> None:
    task = asyncio.create_task(way().log_in(person))
    callback = asked_in(await person.urls.get())["callback_url"]
    parts = urlsplit(callback)

    statuses = [
        (await visit(f"http://{parts.netloc}{path}?code=evil")).status
        for path in ("/callback", "/callback/", "/callback/AAAAAAAAAAAAAAAAAAAAAA")
    ]
    no_code = await visit(callback)
    asked_too_early = server.to(_KEYS)
    await visit(f"{callback}?code=code-canary")
    await task

    assert statuses == [404, 404, 404]
    assert no_code.status == 400
    assert asked_too_early == []


@pytest.mark.parametrize("form", ["{uri}?code=code-canary", "code-canary"])
async def test_an_address_or_a_code_may_be_pasted(way: LogIn, person: Person, form: str) -> None:
    task = asyncio.create_task(way().log_in(person))
    uri = asked_in(await person.urls.get())["callback_url"]
    for wrong in ("", "http://[bad", "http://127.0.0.1:1/callback/other?code=evil", f"{uri}?code=a&code=b"):
        person.pastes.put_nowait(wrong)
    person.pastes.put_nowait(form.format(uri=uri))

    login = await task

    assert isinstance(login.credential, ApiKey)
    assert len(person.prompts) == 5


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Reply({"error": {"code": 403, "message": "Invalid code"}}, 403), "invalid_grant"),
        (Reply({"error": {"code": 400, "message": "bad"}}, 400), "transient"),
        (Reply(b"", 405), "transient"),
        (Reply({"user_id": "user_1"}), "ambiguous"),
        (Reply({"key": "two words"}), "bad_key"),
        (Drop, "ambiguous"),
    ],
)
async def test_without_a_key_it_says_why(
    server: Scripted, way: LogIn, person: Person, step: Step, error: str
) -> None:
    server.on(_KEYS, step)
    person.pastes.put_nowait("code-canary")

    with pytest.raises(LoginFailed) as caught:
        await way().log_in(person)

    assert caught.value.error == error
    assert "canary" not in caught.value.message
    assert len(server.to(_KEYS)) == 1


async def test_a_busy_server_gets_the_same_code_again(
    server: Scripted, way: LogIn, person: Person, clock: SetTime
) -> None:
    server.on(_KEYS, Reply(b"", 500), Reply(b"", 429), Reply({"key": "sk-or-canary"}))
    person.pastes.put_nowait("code-canary")

    await way().log_in(person)

    assert [asked.json["code"] for asked in server.to(_KEYS)] == ["code-canary"] * 3
    assert clock.naps == [1, 2]


async def test_a_refusal_ends_it(way: LogIn, person: Person) -> None:
    task = asyncio.create_task(way().log_in(person))
    callback = asked_in(await person.urls.get())["callback_url"]

    page = await visit(f"{callback}?error=access_denied")
    with pytest.raises(LoginFailed) as caught:
        await task

    assert caught.value.error == "access_denied"
    assert page.status == 400


async def test_without_a_terminal_it_fails_at_once(way: LogIn) -> None:
    await suite.refuses_without_a_person(way())


async def test_it_leaves_nothing_when_cancelled(way: LogIn, person: Person) -> None:
    await suite.leaves_nothing_when_cancelled(way(), person, lambda: person.pasting == 1)
