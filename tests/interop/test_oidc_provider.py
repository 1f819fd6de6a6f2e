"""Our sign-in before an OpenID-certified server that knows nothing of us: discovery to revocation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from llm_orc.auth.credential import Entry, OAuthToken
from llm_orc.auth.methods.base import Login
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.oauth_browser import BrowserLogin
from llm_orc.auth.methods.oauth_device import DeviceLogin
from llm_orc.auth.oauth.authorize import AuthorizationAttempt, AuthorizationCode
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.revoke import revoke
from llm_orc.auth.oauth.token_endpoint import Failure, TokenEndpointError, exchange_code, refresh
from llm_orc.auth.secret import Secret
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.key_file import KeyFile
from llm_orc.auth.tokens.refresh import TokenKeeper
from llm_orc.errors import CredentialExpired, LoginFailed
from llm_orc.net.http import Http
from tests.fakes.people import Person
from tests.interop.visitor import Page, visit

pytestmark = pytest.mark.interop

OPTIONS = VisitOptions("judge", BrowserChances(False, True), no_browser=True, limit_s=30.0)


@pytest.fixture
async def client(issuer: str, http: Http) -> OAuthClient:
    """Our client as a preset would have it: only the issuer is named. This server demands `prompt=consent`."""
    preset = OAuthClient(
        "judge",
        "native-app",
        issuer=issuer,
        scopes=("openid", "offline_access"),
        extra_authorize_params={"prompt": "consent"},
    )
    return await resolve(preset, http)


async def log_in(client: OAuthClient, http: Http, *, agrees: bool = True) -> tuple[Login, Page]:
    person = Person(is_interactive=False)

    async def browse() -> Page:
        return await visit(await person.urls.get(), agrees=agrees)

    browsing = asyncio.create_task(browse())
    try:
        login = await BrowserLogin(client, http, OPTIONS).log_in(person)
        return login, await browsing
    finally:
        await asyncio.wait([browsing])


def token_of(holder: Login | Entry) -> OAuthToken:
    assert isinstance(holder.credential, OAuthToken)
    return holder.credential


async def who(http: Http, issuer: str, token: Secret) -> str | int:
    """Ask the server whose token this is; the status where it does not take it."""
    answer = await http.send("GET", f"{issuer}/me", {"Authorization": f"Bearer {token.reveal()}"}, limit_s=10)
    return str(json.loads(answer.body)["sub"]) if answer.status == 200 else answer.status


class Kept:
    """A sign-in in a store, as `auth add` leaves it."""

    def __init__(self, folder: Path, login: Login, client: OAuthClient, http: Http) -> None:
        self.storage = CredentialStorage(folder / "credentials.json", KeyFile(folder / "credentials.key"))
        self._client, self._http = client, http
        token = token_of(login)
        self.storage.store_oauth_token(
            "judge", token.access_token, token.refresh_token, token.expires_at, token.client_id
        )

    @property
    def entry(self) -> Entry:
        entry = self.storage.get("judge")
        assert entry is not None
        return entry

    def keeper(self, clock: Callable[[], float] = time.time) -> TokenKeeper:
        """A keeper of its own, as another process would have."""
        return TokenKeeper(self.storage, self.entry, self._client, self._http, clock)


class Landing:
    """Where the browser is sent, read from its request and exchanged by nobody."""

    async def __aenter__(self) -> Self:
        self._queries: asyncio.Queue[str] = asyncio.Queue()
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def code_for(self, client: OAuthClient) -> AuthorizationCode:
        port = self._server.sockets[0].getsockname()[1]
        attempt = AuthorizationAttempt(client, f"http://127.0.0.1:{port}/callback")
        await visit(attempt.url)
        return attempt.accept_query(await self._queries.get())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self._queries.put_nowait(head.split(" ")[1].partition("?")[2])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()


@pytest.fixture
async def kept(tmp_path: Path, client: OAuthClient, http: Http) -> Kept:
    login, _ = await log_in(client, http)
    return Kept(tmp_path, login, client, http)


async def test_its_metadata_is_found_by_the_issuer_alone(client: OAuthClient, issuer: str) -> None:
    assert client.authorization_endpoint == f"{issuer}/auth"
    assert client.token_endpoint == f"{issuer}/token"
    assert client.revocation_endpoint == f"{issuer}/token/revocation"
    assert client.device_authorization_endpoint == f"{issuer}/device/auth"
    assert client.requires_iss


async def test_a_person_signs_in_by_code_with_pkce_and_a_loopback_redirect(
    client: OAuthClient, http: Http, issuer: str
) -> None:
    login, page = await log_in(client, http)

    token = token_of(login)
    assert token.refresh_token is not None
    assert token.expires_at == pytest.approx(time.time() + 3600, abs=60)
    assert set(login.scopes) == {"openid", "offline_access"}
    assert await who(http, issuer, token.access_token) == "ada"
    assert page.status == 200
    assert page.url.startswith("http://127.0.0.1:")
    assert not page.url.startswith(issuer)  # it is ours


async def test_a_person_who_turns_back_is_understood_and_the_page_says_so(client: OAuthClient, http: Http) -> None:
    with pytest.raises(LoginFailed) as caught:
        await log_in(client, http, agrees=False)

    assert caught.value.error == "access_denied"


async def test_a_code_is_worth_nothing_without_its_verifier_and_only_once(client: OAuthClient, http: Http) -> None:
    async with Landing() as landing:
        stolen = await landing.code_for(client)
        mine = await landing.code_for(client)

    with pytest.raises(TokenEndpointError) as without:
        await exchange_code(client, http, stolen.code, mine.verifier, stolen.redirect_uri)
    await exchange_code(client, http, mine.code, mine.verifier, mine.redirect_uri)
    with pytest.raises(TokenEndpointError) as again:
        await exchange_code(client, http, mine.code, mine.verifier, mine.redirect_uri)

    assert [e.value.error for e in (without, again)] == ["invalid_grant", "invalid_grant"]
    assert [e.value.failure for e in (without, again)] == [Failure.PERMANENT, Failure.PERMANENT]


async def test_each_renewal_rotates_and_the_newest_is_kept(kept: Kept, http: Http, issuer: str) -> None:
    seen = [token_of(kept.entry)]

    for _ in range(3):
        await kept.keeper().refresh_now()
        seen.append(token_of(kept.entry))

    assert len({t.refresh_token.reveal() for t in seen if t.refresh_token}) == 4
    assert len({t.access_token.reveal() for t in seen}) == 4
    assert await who(http, issuer, seen[-1].access_token) == "ada"
    assert kept.entry.presented is None


async def test_many_at_once_renew_once_and_never_reuse(kept: Kept, http: Http, issuer: str) -> None:
    kept.storage.update(
        "judge", None, lambda e: replace(e, credential=replace(token_of(e), expires_at=time.time() - 1))
    )
    keepers = [kept.keeper() for _ in range(10)]

    tokens = await asyncio.gather(*(keeper.current() for keeper in keepers for _ in range(3)))

    assert len({token.access_token.reveal() for token in tokens}) == 1
    assert await who(http, issuer, tokens[0].access_token) == "ada"
    await kept.keeper().refresh_now()  # a reuse would have ended the family, and with it this one


async def test_a_reused_refresh_token_ends_the_family_and_we_say_that_a_sign_in_is_needed(
    kept: Kept, client: OAuthClient, http: Http, issuer: str
) -> None:
    spent = token_of(kept.entry).refresh_token
    assert spent is not None
    live = await kept.keeper().refresh_now()

    with pytest.raises(TokenEndpointError) as reused:
        await refresh(client, http, spent)
    with pytest.raises(CredentialExpired) as ended:
        await kept.keeper().refresh_now()

    assert (reused.value.error, reused.value.failure) == ("invalid_grant", Failure.PERMANENT)
    assert ended.value.hint == "llm-orc auth add judge"
    assert await who(http, issuer, live.access_token) == 401
    assert kept.entry.needs_login is not None
    assert token_of(kept.entry).refresh_token == live.refresh_token  # nothing was deleted


async def test_a_narrower_scope_may_be_asked_for_and_is_reported(
    kept: Kept, client: OAuthClient, http: Http
) -> None:
    token = token_of(kept.entry).refresh_token
    assert token is not None

    response = await refresh(client, http, token, ("openid",))

    assert response.scopes == ("openid",)


async def test_a_revoked_sign_in_is_dead_at_the_server(
    kept: Kept, client: OAuthClient, http: Http, issuer: str
) -> None:
    token = token_of(kept.entry)
    assert token.refresh_token is not None

    said = await revoke(client, http, refresh_token=token.refresh_token, access_token=token.access_token)

    assert said.is_confirmed
    assert await who(http, issuer, token.access_token) == 401
    with pytest.raises(TokenEndpointError, match="invalid_grant"):
        await refresh(client, http, token.refresh_token)


async def test_a_token_that_the_server_does_not_know_counts_as_revoked(client: OAuthClient, http: Http) -> None:
    said = await revoke(client, http, refresh_token=Secret("never-issued"), access_token=Secret("nor-this"))

    assert said.is_confirmed


async def log_in_by_device(client: OAuthClient, http: Http, *, agrees: bool) -> Login:
    person = Person(is_interactive=True)

    async def nap(seconds: float) -> None:
        """The person acts while we wait, so each wait is over when they have."""
        assert seconds == 5.0  # this server names no interval
        [device] = person.devices
        assert device.verification_uri_complete is not None
        await visit(device.verification_uri_complete, agrees=agrees)

    return await DeviceLogin(client, http, OPTIONS, sleep=nap).log_in(person)


async def test_a_person_signs_in_on_another_device(client: OAuthClient, http: Http, issuer: str) -> None:
    login = await log_in_by_device(client, http, agrees=True)

    assert await who(http, issuer, token_of(login).access_token) == "ada"


async def test_a_person_who_says_no_on_another_device_is_understood(client: OAuthClient, http: Http) -> None:
    with pytest.raises(LoginFailed) as caught:
        await log_in_by_device(client, http, agrees=False)

    assert caught.value.error == "access_denied"
