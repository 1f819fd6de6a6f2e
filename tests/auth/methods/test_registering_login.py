"""A sign-in that registers its client and needs an ID token: what is sent, and what is not accepted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pytest

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.methods.base import Login
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.oauth_browser import BrowserLogin
from llm_orc.auth.oauth.client import KnownAccount, OAuthClient, SignInRequest
from llm_orc.auth.secret import Secret
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from llm_orc.sandbox.oauth.clients import PLAN_CLIENT, Client
from llm_orc.sandbox.oauth.faults import Altered, OAuthFault
from llm_orc.sandbox.oauth.id_tokens import AlteredIdToken
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.fakes.people import Person, visit

HOST = "urn:uuid:0b8ee2f4-5f2e-4f5e-9a3b-0f3f3f8f4c11"
# As OpenAI documents it; the names are data of the provider, no code knows them.
CHATGPT = Client(
    "dynamic_agent_client",
    ("http://127.0.0.1/auth/callback",),
    ("openid", "profile", "email", "offline_access", "resource.invoke", "chatgpt.tokens.use.direct"),
    registers=True,
    resource="https://api.openai.com/v1",
    earliest_refresh_s=360.0,
)
_DESKTOP = BrowserChances(may_open=True, offers_paste=False)


@dataclass
class Plan:
    """A server where each account gets a client of its own."""

    server: OAuthServer
    http: Http
    client: OAuthClient
    kept: list[str] = field(default_factory=list)
    person: Person = field(default_factory=Person)

    async def sign_in(self, request: SignInRequest | None = None, client: OAuthClient | None = None) -> Login:
        visits: set[asyncio.Task[object]] = set()
        loop = asyncio.get_running_loop()

        def browses(url: str) -> bool:
            loop.call_soon_threadsafe(lambda: visits.add(loop.create_task(visit(url))))
            return True

        self.person.browses = browses
        login = BrowserLogin(
            client or self.client,
            self.http,
            VisitOptions("acme", _DESKTOP, limit_s=5),
            request=request or SignInRequest(HOST),
            keep_client=self.kept.append,
        )
        try:
            return await login.log_in(self.person)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*visits, return_exceptions=True), 5)

    @property
    def asked(self) -> dict[str, str]:
        return dict(self.server.record.authorization_requests[-1].parameters)

    @property
    def exchanged(self) -> dict[str, str]:
        return dict(self.server.token_requests[-1].parameters)


@pytest.fixture
async def plan(http: Http) -> AsyncIterator[Plan]:
    server = OAuthServer(auto_approve=True, clients=(Client(), PLAN_CLIENT, CHATGPT))
    async with Sandbox(oauth=server):
        client = OAuthClient(
            "acme",
            CHATGPT.client_id,
            issuer=server.issuer,
            registers_client=True,
            registration_params={"agent_name_hint": "llm-orc"},
            host_id_param="ext_agent_host_id",
            resource=CHATGPT.resource,
            requires_id_token=True,
            scopes=CHATGPT.scopes,
            redirect_uri="http://127.0.0.1/auth/callback",
        )
        yield Plan(server, http, client)


async def test_a_first_sign_in_sends_what_the_contract_wants(plan: Plan) -> None:
    login = await plan.sign_in()

    asked, exchanged = plan.asked, plan.exchanged
    redirect = urlsplit(asked["redirect_uri"])
    assert {name: asked[name] for name in asked if name not in {"state", "nonce", "code_challenge"}} == {
        "agent_name_hint": "llm-orc",
        "ext_agent_host_id": HOST,
        "response_type": "code",
        "client_id": "dynamic_agent_client",
        "redirect_uri": asked["redirect_uri"],
        "code_challenge_method": "S256",
        "scope": "openid profile email offline_access resource.invoke chatgpt.tokens.use.direct",
        "resource": "https://api.openai.com/v1",
    }
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert (redirect.scheme, redirect.hostname, redirect.path) == ("http", "127.0.0.1", "/auth/callback")
    assert redirect.port
    assert [exchanged["client_id"]] == plan.kept
    assert exchanged["redirect_uri"] == asked["redirect_uri"]
    assert exchanged["resource"] == "https://api.openai.com/v1"
    assert plan.server.token_requests[-1].content_type == "application/x-www-form-urlencoded"
    assert isinstance(login.credential, OAuthToken)
    assert login.credential.client_id == plan.kept[0]
    assert login.credential.earliest_refresh_at is not None
    assert (login.subject, login.label) == ("sandbox-person", "person@sandbox.example")
    assert login.credential.id_token is None  # the name of the account is hint enough


async def test_a_later_one_uses_the_client_and_names_the_account(plan: Plan) -> None:
    await plan.sign_in()
    known = KnownAccount(plan.kept[0], "sandbox-person", "person@sandbox.example")

    login = await plan.sign_in(SignInRequest(HOST, known, asks_consent=True))

    assert plan.asked["client_id"] == plan.kept[0]
    assert plan.asked["login_hint"] == "person@sandbox.example"
    assert plan.asked["prompt"] == "consent"
    assert "agent_name_hint" not in plan.asked
    assert len(plan.kept) == 1
    assert isinstance(login.credential, OAuthToken)
    assert login.credential.client_id == plan.kept[0]


async def test_an_account_without_a_name_is_named_by_its_id_token(plan: Plan) -> None:
    nameless = replace(plan.client, scopes=tuple(s for s in CHATGPT.scopes if s != "email"))
    first = await plan.sign_in(client=nameless)
    assert isinstance(first.credential, OAuthToken)
    hint = first.credential.id_token
    assert hint is not None

    await plan.sign_in(SignInRequest(HOST, KnownAccount(plan.kept[0], first.subject, "", hint)), nameless)

    assert plan.asked["id_token_hint"] == hint.reveal()
    assert "login_hint" not in plan.asked


async def test_a_redirect_may_leave_the_kept_client_out(plan: Plan) -> None:
    await plan.sign_in()
    plan.server.add_fault(OAuthFault(Altered({"client_id": None}), "authorize"))

    await plan.sign_in(SignInRequest(HOST, KnownAccount(plan.kept[0], "sandbox-person")))

    assert plan.exchanged["client_id"] == plan.kept[0]


@pytest.mark.parametrize("client_id", [None, "dynamic_agent_client", "", "with space", "x" * 600])
async def test_a_first_sign_in_without_a_new_client_is_incomplete(plan: Plan, client_id: str | None) -> None:
    plan.server.add_fault(OAuthFault(Altered({"client_id": client_id}), "authorize"))

    with pytest.raises(LoginFailed, match="registration at provider `acme` is incomplete") as caught:
        await plan.sign_in()

    assert caught.value.error == "registration_incomplete"
    assert plan.server.token_requests == []
    assert plan.kept == []


async def test_another_client_than_the_kept_one_is_rejected(plan: Plan) -> None:
    await plan.sign_in()
    plan.server.add_fault(OAuthFault(Altered({"client_id": "sandbox-app-other"}), "authorize"))

    with pytest.raises(LoginFailed) as caught:
        await plan.sign_in(SignInRequest(HOST, KnownAccount(plan.kept[0], "sandbox-person")))

    assert caught.value.error == "client_changed"
    assert len(plan.server.token_requests) == 1


async def test_another_account_does_not_take_the_place_of_the_first(plan: Plan) -> None:
    await plan.sign_in()

    with pytest.raises(LoginFailed) as caught:
        await plan.sign_in(SignInRequest(HOST, KnownAccount(plan.kept[0], "somebody-else")))

    assert caught.value.error == "account_changed"


@pytest.mark.parametrize(
    "fault",
    [
        AlteredIdToken({"nonce": "forged"}),
        AlteredIdToken({"nonce": None}),
        AlteredIdToken({"aud": "sandbox-app-other"}),
        AlteredIdToken({"aud": None}),
        AlteredIdToken({"iss": "https://elsewhere.example"}),
        AlteredIdToken({"iss": None}),
        AlteredIdToken({"exp": 1_700_000_000}),
        AlteredIdToken({"exp": None}),
        AlteredIdToken({"sub": None}),
        AlteredIdToken({"sub": ""}),
        AlteredIdToken({"azp": "sandbox-app-other"}),
        AlteredIdToken(by_another_key=True),
        Altered({"id_token": None}),
        Altered({"id_token": "no.id.token"}),
        Altered({"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9."}),
    ],
    ids=repr,
)
async def test_an_id_token_that_proves_nothing_ends_the_sign_in(
    plan: Plan, fault: AlteredIdToken | Altered
) -> None:
    plan.server.add_fault(OAuthFault(fault))

    with pytest.raises(LoginFailed, match="did not prove whose account it is") as caught:
        await plan.sign_in()

    assert caught.value.error == "id_token"
    assert "sandbox-" not in (caught.value.hint or "")


@pytest.mark.parametrize("document", [{"keys": []}, {"keys": [{"kty": "RSA"}]}, {"keys": "none"}], ids=repr)
async def test_keys_that_are_none_prove_nothing(plan: Plan, document: dict[str, object]) -> None:
    plan.server.add_fault(OAuthFault(Altered(document), "keys"))  # type: ignore[arg-type]

    with pytest.raises(LoginFailed, match="did not prove whose account it is"):
        await plan.sign_in()


async def test_a_wrong_clock_of_this_machine_does_not_hinder(http: Http) -> None:
    async with Sandbox(oauth=OAuthServer(auto_approve=True, clock=lambda: time.time() + 86_400.0)) as sandbox:
        assert sandbox.oauth is not None
        client = OAuthClient(
            "acme",
            PLAN_CLIENT.client_id,
            issuer=sandbox.oauth.issuer,
            registers_client=True,
            registration_params={"agent_name_hint": "llm-orc"},
            host_id_param="ext_agent_host_id",
            resource=f"{sandbox.origin}/v1",
            requires_id_token=True,
            scopes=PLAN_CLIENT.scopes,
            redirect_uri="http://127.0.0.1/auth/callback",
        )

        login = await Plan(sandbox.oauth, http, client).sign_in()

    assert login.subject == "sandbox-person"


async def test_the_client_is_kept_although_the_exchange_fails(plan: Plan) -> None:
    plan.server.add_fault(OAuthFault(Altered({"access_token": None})))

    with pytest.raises(LoginFailed):
        await plan.sign_in()

    assert len(plan.kept) == 1


async def test_an_exchange_without_the_resource_spends_the_code(plan: Plan) -> None:
    """The trap itself, as the server has it."""
    asked = SignInRequest(HOST)
    forgetful = replace(plan.client, resource=None, extra_authorize_params={"resource": CHATGPT.resource})

    with pytest.raises(LoginFailed, match="invalid_grant"):
        await plan.sign_in(asked, forgetful)

    assert plan.server.families_alive == 0


def test_no_secret_of_an_attempt_is_shown() -> None:
    known = KnownAccount("client", "person", "", Secret("id-token-canary"))

    assert "canary" not in repr(SignInRequest(HOST, known))
