"""Signing in through the browser, from the first address to the credential."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.oauth_browser import BrowserLogin
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.auth.methods import suite
from tests.fakes.authlib_server import install
from tests.fakes.clocks import SetTime
from tests.fakes.people import Person, redirect_of, visit
from tests.fakes.scripted_server import Asked, Drop, Reply, Scripted, refusal, tokens

_DESKTOP = BrowserChances(may_open=True, offers_paste=False)
_REMOTE = BrowserChances(may_open=False, offers_paste=True, reason="this is a remote session (SSH)")

LogIn = Callable[..., BrowserLogin]


@pytest.fixture
def way(server: Scripted, http: Http, client: OAuthClient, clock: SetTime) -> LogIn:
    """Builds the login at a server that agrees to everything."""
    server.on("/authorize", agrees)
    server.on("/token", tokens(refresh_token="rt-canary", access_token="at-canary"))

    def build(of: OAuthClient = client, browser: BrowserChances = _DESKTOP, **options: object) -> BrowserLogin:
        chosen = replace(VisitOptions("acme", browser, limit_s=20), **options)  # type: ignore[arg-type]
        return BrowserLogin(of, http, chosen, clock=clock, sleep=clock.sleep)

    return build


def agrees(asked: Asked) -> Reply:
    to = asked.query["redirect_uri"]
    return Reply(b"", 302, {"location": f"{to}?code=code-canary&state={asked.query['state']}"})


def declines(asked: Asked) -> Reply:
    to = asked.query["redirect_uri"]
    return Reply(b"", 302, {"location": f"{to}?error=access_denied&state={asked.query['state']}"})


class Browser:
    """Opens in the background, as browsers do, and keeps the page that it ended on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.page: asyncio.Task[tuple[int, str]] | None = None

    def __call__(self, url: str) -> bool:
        def start() -> None:
            self.page = self._loop.create_task(asyncio.to_thread(_read, url))

        self._loop.call_soon_threadsafe(start)
        return True


def _read(url: str) -> tuple[int, str]:
    from urllib.error import HTTPError

    try:
        with build_opener(ProxyHandler({})).open(url, timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as e:
        with e:
            return e.code, e.read().decode()


def state_in(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["state"]


def redirect_in(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["redirect_uri"]


def refuses_connections(uri: str) -> bool:
    parts = urlsplit(uri)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) != 0


async def test_the_browser_opens_comes_back_and_brings_tokens(
    server: Scripted, way: LogIn, person: Person, clock: SetTime
) -> None:
    person.browses = browser = Browser()

    login = await suite.brings_a_credential(way(), person)

    assert browser.page is not None
    status, page = await browser.page
    url = person.urls.get_nowait()
    assert (status, "You are signed in" in page, "canary" in page) == (200, True, False)
    assert person.opened == [url]
    assert person.prompts == []
    assert refuses_connections(redirect_in(url))
    token = login.credential
    assert isinstance(token, OAuthToken)
    assert token.access_token.reveal() == "at-canary"
    assert token.refresh_token is not None
    assert (token.expires_at, token.issued_at) == (clock.now + 3600, clock.now)
    assert token.client_id == "native-app"
    assert login.scopes == token.scopes == ("chat", "profile")


async def test_a_whole_sign_in_at_authlib_found_through_its_metadata(
    server: Scripted, http: Http, person: Person
) -> None:
    issued = install(server)
    person.browses = Browser()
    client = OAuthClient(provider="acme", client_id="native-app", issuer=server.url, scopes=("chat",))

    login = await BrowserLogin(client, http, VisitOptions("acme", _DESKTOP, limit_s=20)).log_in(person)

    assert isinstance(login.credential, OAuthToken)
    assert login.credential.access_token.reveal() == issued.tokens[0].access_token


async def test_no_browser_is_opened_where_there_is_none_and_the_paste_is_asked_for_at_once(
    way: LogIn, person: Person
) -> None:
    person.browses = Browser()
    task = asyncio.create_task(way(browser=_REMOTE).log_in(person))
    url = await person.urls.get()

    person.pastes.put_nowait(await redirect_of(url))
    login = await task

    assert person.opened == []
    assert len(person.prompts) == 1
    assert any("SSH" in words for words in person.words)
    assert isinstance(login.credential, OAuthToken)
    assert refuses_connections(redirect_in(url))


async def test_a_callback_wins_over_a_prompt_that_still_waits(way: LogIn, person: Person) -> None:
    task = asyncio.create_task(way(browser=_REMOTE).log_in(person))
    url = await person.urls.get()

    page = await visit(url)
    login = await task

    assert page.status == 200
    assert person.pasting == 0
    assert isinstance(login.credential, OAuthToken)


async def test_a_browser_that_does_not_open_brings_the_prompt_at_once(way: LogIn, person: Person) -> None:
    task = asyncio.create_task(way(paste_after_s=600).log_in(person))
    url = await person.urls.get()
    person.pastes.put_nowait(f"code-canary#{state_in(url)}")

    await task

    assert len(person.prompts) == 1
    assert any("No browser opened" in words for words in person.words)


async def test_a_prompt_is_offered_later_where_a_browser_did_open(way: LogIn, person: Person) -> None:
    person.browses = lambda url: True
    task = asyncio.create_task(way(paste_after_s=0.01).log_in(person))
    url = await person.urls.get()
    person.pastes.put_nowait(f"code-canary#{state_in(url)}")

    login = await task

    assert len(person.prompts) == 1
    assert isinstance(login.credential, OAuthToken)


async def test_a_wrong_paste_is_explained_and_asked_for_again_and_sends_nothing(
    server: Scripted, way: LogIn, person: Person
) -> None:
    task = asyncio.create_task(way(browser=_REMOTE).log_in(person))
    url = await person.urls.get()
    for text in ("", "code-canary#forged", "https://example.com/?code=x&state=y"):
        person.pastes.put_nowait(text)
    while len(person.prompts) < 4:
        await asyncio.sleep(0.001)
    asked_too_early = server.to("/token")

    person.pastes.put_nowait(f"code-canary#{state_in(url)}")
    await task

    assert asked_too_early == []
    assert len([words for words in person.words if "ignored" in words]) == 3
    assert not any("canary" in words for words in person.words)


async def test_a_forged_callback_sends_nothing_and_the_right_one_still_works(
    server: Scripted, way: LogIn, person: Person
) -> None:
    task = asyncio.create_task(way().log_in(person))
    redirect_uri = redirect_in(url := await person.urls.get())

    forged = await visit(f"{redirect_uri}?code=evil&state=forged")
    asked_too_early = server.to("/token")
    page = await visit(url)
    await task

    assert (forged.status, page.status) == (400, 200)
    assert "still waiting" in forged.text
    assert asked_too_early == []
    assert [asked.form["code"] for asked in server.to("/token")] == ["code-canary"]


async def test_a_callback_from_another_server_is_refused_before_any_token_request(
    server: Scripted, client: OAuthClient, way: LogIn, person: Person
) -> None:
    named = replace(client, issuer="https://a.example")
    task = asyncio.create_task(way(named).log_in(person))
    url = await person.urls.get()

    page = await visit(f"{redirect_in(url)}?code=c-1&state={state_in(url)}&iss=https://b.example")
    with pytest.raises(LoginFailed) as caught:
        await task

    assert caught.value.error == "iss_mismatch"
    assert "https://b.example" in page.text
    assert server.to("/token") == []


async def test_a_person_who_declines_is_told_on_the_page_and_in_the_terminal(
    server: Scripted, way: LogIn, person: Person
) -> None:
    server.on("/authorize", declines)
    person.browses = browser = Browser()

    with pytest.raises(LoginFailed) as caught:
        await way().log_in(person)

    assert caught.value.error == "access_denied"
    assert browser.page is not None
    assert "declined" in (await browser.page)[1]


async def test_the_page_does_not_say_that_it_worked_when_the_exchange_fails(
    server: Scripted, way: LogIn, person: Person
) -> None:
    server.on("/token", refusal("invalid_grant", "code-canary is too old"))
    person.browses = browser = Browser()

    with pytest.raises(LoginFailed) as caught:
        await way().log_in(person)

    assert browser.page is not None
    status, page = await browser.page
    assert status == 400
    assert "invalid_grant" in page
    assert "canary" not in page + caught.value.message
    assert "Sign in again" in str(caught.value.hint)


async def test_a_busy_server_gets_the_same_code_again(
    server: Scripted, way: LogIn, person: Person, clock: SetTime
) -> None:
    person.browses = Browser()
    busy, worse = Reply(b"", 429, {"retry-after": "7"}), Reply(b"<html>", 503, {}, "text/html")
    server.on("/token", busy, worse, worse, tokens())

    login = await way().log_in(person)

    assert {asked.form["code"] for asked in server.to("/token")} == {"code-canary"}
    assert {asked.form["code_verifier"] for asked in server.to("/token")} != {""}
    assert clock.naps == [7, 2, 4]
    assert isinstance(login.credential, OAuthToken)


async def test_a_server_that_stays_busy_longer_than_a_code_lives_ends_it(
    server: Scripted, way: LogIn, person: Person, clock: SetTime
) -> None:
    person.browses = Browser()
    server.on("/token", Reply(b"", 429))
    began_at = clock.now

    with pytest.raises(LoginFailed):
        await way().log_in(person)

    assert 500 < clock.now - began_at <= 600


async def test_a_lost_answer_is_not_asked_for_twice(server: Scripted, way: LogIn, person: Person) -> None:
    person.browses = Browser()
    server.on("/token", Drop)

    with pytest.raises(LoginFailed) as caught:
        await way().log_in(person)

    assert len(server.to("/token")) == 1
    assert caught.value.error == "ambiguous"


async def test_a_hosted_page_needs_no_listener_and_sends_the_state_along(
    server: Scripted, client: OAuthClient, way: LogIn, person: Person
) -> None:
    hosted = replace(
        client,
        redirect="paste",
        redirect_uri="https://console.example/oauth/code/callback",
        token_request="json",
        state_in_token_request=True,
        extra_authorize_params={"code": "true"},
    )
    task = asyncio.create_task(way(hosted).log_in(person))
    url = await person.urls.get()
    person.pastes.put_nowait(f"code-canary#{state_in(url)}")

    await task

    asked = server.to("/token")[0].json
    assert redirect_in(url) == asked["redirect_uri"] == "https://console.example/oauth/code/callback"
    assert asked["state"] == state_in(url)
    assert "code=true" in url


async def test_a_port_that_the_server_insists_on_and_that_is_taken_leaves_the_paste(
    client: OAuthClient, way: LogIn, person: Person
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fixed = f"http://127.0.0.1:{taken.getsockname()[1]}/auth/callback"
        task = asyncio.create_task(way(replace(client, redirect_uri=fixed)).log_in(person))
        url = await person.urls.get()
        person.pastes.put_nowait(f"{fixed}?code=code-canary&state={state_in(url)}")

        login = await task

    assert redirect_in(url) == fixed
    assert any("in use" in words for words in person.words)
    assert isinstance(login.credential, OAuthToken)


async def test_without_any_port_the_paste_is_left(way: LogIn, person: Person) -> None:
    task = asyncio.create_task(way(hosts=("240.0.0.1",)).log_in(person))
    url = await person.urls.get()
    assert refuses_connections(redirect_in(url))
    person.pastes.put_nowait(f"{redirect_in(url)}?code=code-canary&state={state_in(url)}")

    assert isinstance((await task).credential, OAuthToken)


async def test_a_registered_redirect_without_a_port_gets_one_of_its_own(
    client: OAuthClient, way: LogIn, person: Person
) -> None:
    registered = replace(client, redirect_uri="http://localhost/oauth/done")
    task = asyncio.create_task(way(registered).log_in(person))
    parts = urlsplit(redirect_in(await person.urls.get()))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert (parts.hostname, parts.path) == ("localhost", "/oauth/done")
    assert parts.port


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect": "paste"},
        {"redirect": "paste", "redirect_uri": "http://console.example/callback"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://evil.example:80/callback"},
    ],
)
async def test_a_redirect_that_can_not_be_ours_is_refused(
    client: OAuthClient, way: LogIn, person: Person, changes: dict[str, str]
) -> None:
    with pytest.raises(LoginFailed, match="redirect_uri"):
        await way(replace(client, **changes)).log_in(person)  # type: ignore[arg-type]

    assert person.urls.empty()


async def test_without_a_terminal_it_fails_at_once_and_names_the_command(way: LogIn) -> None:
    error = await suite.refuses_without_a_person(way())

    assert "--no-browser" in str(error.hint)


async def test_without_a_terminal_but_with_no_browser_it_waits_for_the_callback(way: LogIn) -> None:
    nobody = Person(is_interactive=False)
    task = asyncio.create_task(way(no_browser=True).log_in(nobody))

    page = await visit(await nobody.urls.get())

    assert isinstance((await task).credential, OAuthToken)
    assert page.status == 200
    assert (nobody.opened, nobody.prompts) == ([], [])


async def test_a_hosted_page_can_not_be_waited_for_without_a_terminal(client: OAuthClient, way: LogIn) -> None:
    hosted = replace(client, redirect="paste", redirect_uri="https://console.example/callback")

    await suite.refuses_without_a_person(way(hosted, no_browser=True))


async def test_it_ends_when_its_time_is_up_and_leaves_no_listener(way: LogIn, person: Person) -> None:
    before = suite.our_tasks()

    with pytest.raises(LoginFailed) as caught:
        await way(limit_s=0.05).log_in(person)

    assert caught.value.error == "timed_out"
    assert refuses_connections(redirect_in(person.urls.get_nowait()))
    assert suite.our_tasks() == before
    assert person.pasting == 0


async def test_it_leaves_nothing_when_cancelled(way: LogIn, person: Person) -> None:
    await suite.leaves_nothing_when_cancelled(way(browser=_REMOTE), person, lambda: person.pasting == 1)

    assert refuses_connections(redirect_in(person.urls.get_nowait()))


async def test_closed_input_leaves_the_callback(way: LogIn, person: Person) -> None:
    person.pastes.put_nowait(EOFError)
    task = asyncio.create_task(way(browser=_REMOTE).log_in(person))
    url = await person.urls.get()
    while not person.prompts:
        await asyncio.sleep(0.001)

    await visit(url)

    assert isinstance((await task).credential, OAuthToken)


async def test_two_sign_ins_at_once_each_get_their_own_answer(server: Scripted, way: LogIn, http: Http) -> None:
    ada, bob = Person(), Person()
    tasks = [asyncio.create_task(way().log_in(who)) for who in (ada, bob)]
    of_ada, of_bob = await ada.urls.get(), await bob.urls.get()
    crossed = f"{redirect_in(of_ada)}?code=of-bob&state={state_in(of_bob)}"

    refused = await visit(crossed)
    await visit(of_ada)
    await visit(of_bob)
    await asyncio.gather(*tasks)

    assert refused.status == 400
    assert "of-bob" not in {asked.form["code"] for asked in server.to("/token")}
    assert redirect_in(of_ada) != redirect_in(of_bob)
