"""What `auth status` marks as used is what `explain` says, what a run sends, and who pays in its result."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.app.auth_status import AuthStatus, CredentialStatus, auth_status
from llm_orc.app.credentials import open_credentials, open_refusals
from llm_orc.app.explain import explain_access
from llm_orc.app.find_ensemble import find_ensemble
from llm_orc.app.official_access import look_at_clis
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.secret import Secret
from llm_orc.errors import AuthError, CredentialRefused
from llm_orc.sandbox.oauth import OAuthServer
from llm_orc.sandbox.oauth_clients import CLIENT_ID
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, on_sandbox, run
from tests.claude_stand_in import LOGGED_OUT, install

PRO_MAX = "anthropic-claude-pro-max"
MINE = "mine"  # a provider that only the configuration knows
DIALECTS = {"anthropic-api": "anthropic", PRO_MAX: "anthropic", "openai": "openai-responses", MINE: "openai-chat"}
VARIABLES = {"anthropic-api": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


def leave_older_store(workspace: Workspace, entries: dict[str, object]) -> None:
    """What releases up to 0.16 wrote."""
    workspace.config.mkdir(parents=True, exist_ok=True)
    key = Fernet.generate_key()
    for name, data in {
        ".encryption_key": key,
        "credentials.yaml": Fernet(key).encrypt(yaml.safe_dump(entries).encode()),
    }.items():
        (workspace.config / name).write_bytes(data)
        (workspace.config / name).chmod(0o600)


@dataclass
class Place:
    """A workspace whose providers and sign-in server are the sandbox."""

    workspace: Workspace
    sandbox: Sandbox
    server: OAuthServer
    providers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def settings(self, provider: str, **more: Any) -> None:
        """Write what the configuration says of `provider`; sign-ins are renewed at the sandbox."""
        oauth = {
            "authorization_endpoint": f"{self.sandbox.origin}/oauth/authorize",
            "token_endpoint": self.server.token_endpoint,
            "client_id": CLIENT_ID,
            "billing": "subscription",
        }
        own = {"base_url": self.sandbox.base_url(DIALECTS[provider]), **more}
        if provider in {PRO_MAX, MINE}:
            own = {"oauth": oauth, **own}
        if provider == MINE:
            own = {"dialect": "openai-chat", "billing": "metered", **own}
        self.providers[provider] = own
        written = on_sandbox(self.sandbox)
        written["providers"].update(self.providers)  # type: ignore[attr-defined]
        self.workspace.settings(written)

    def key(self, provider: str, text: str, account: str = "default") -> None:
        open_credentials(self.workspace.app()).store_api_key(provider, text, account=account)

    def sign_in(
        self,
        provider: str,
        account: str = "default",
        *,
        lifetime_s: float = 3600,
        renewable: bool = True,
        client_id: str | None = CLIENT_ID,
    ) -> str:
        """Keep a sign-in whose plan pays, and return its access token."""
        issued = self.server.issue_tokens()
        open_credentials(self.workspace.app()).store_oauth_token(
            provider,
            issued.access_token,
            issued.refresh_token if renewable else None,
            time.time() + lifetime_s,
            client_id,
            account=account,
            billing=Billing.SUBSCRIPTION,
        )
        return issued.access_token

    def refuse(self, provider: str, secret: str) -> None:
        """A provider has said no to `secret` before."""
        refusals = open_refusals(self.workspace.app())
        refusals.remember(self.sandbox.origin, Secret(secret), CredentialRefused("no", provider_message="bad key"))

    async def status(self, provider: str | None = None) -> AuthStatus:
        app = self.workspace.app()
        return auth_status(app, provider, await look_at_clis(app, provider))

    async def used(self, provider: str) -> CredentialStatus | None:
        return next(iter((await self.status(provider)).used()), None)

    async def asked(self, provider: str) -> tuple[Access | None, Access | None, str]:
        """What `explain` says, what the result says, and what was sent; None where it was refused."""
        self.workspace.ensemble("one", {"name": "a", "provider": provider, "model": "claude-m"})
        app = self.workspace.app()
        explained: Access | None = None
        with suppress(AuthError):
            explained = (await explain_access(app, find_ensemble(app, "one"))).agents[0].access
        before = self.sandbox.request_count
        result: Access | None = None
        with suppress(AuthError):
            result = (await run(app, "one"))[0]["a"].access
        sent = [_credential(request.headers) for request in self.sandbox.requests[before:]]
        return explained, result, sent[0] if sent else ""


def _credential(headers: Mapping[str, str]) -> str:
    return headers.get("x-api-key") or headers.get("Authorization", "").removeprefix("Bearer ")


@pytest.fixture
async def place(workspace: Workspace) -> AsyncIterator[Place]:
    server = OAuthServer()
    async with Sandbox(oauth=server) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        yield Place(workspace, sandbox, server)


async def one_story(place: Place, provider: str) -> tuple[CredentialStatus | None, str]:
    """Check that all who tell tell the same, and return the row that is used and what was sent."""
    used = await place.used(provider)
    explained, result, sent = await place.asked(provider)

    assert explained == result
    assert (used is None) == (result is None)
    assert (await place.status(provider)).is_good == (used is not None)
    everything = await place.status()
    if any(row.provider == provider for row in everything.credentials):
        assert (provider in everything.without_way) == (used is None)
    if used is not None and result is not None:
        method = used.method or "none"
        assert (method, used.billing) == (result.method, result.billing)
    return used, sent


# --- the documented order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "method"), [(["api-key", "oauth"], "api-key"), (["oauth", "api-key"], "oauth")])
async def test_of_a_key_and_a_later_sign_in_the_one_that_the_configuration_prefers_is_used(
    place: Place, order: list[str], method: str
) -> None:
    place.settings(MINE, auth_method=order)
    place.key(MINE, "sk-metered-key")
    token = place.sign_in(MINE, "plan")

    used, sent = await one_story(place, MINE)

    assert used is not None
    assert used.method == method
    assert sent == {"api-key": "sk-metered-key", "oauth": token}[method]


async def test_without_a_preference_the_account_that_was_added_last_is_used(place: Place) -> None:
    place.settings(MINE)
    place.key(MINE, "sk-metered-key")
    token = place.sign_in(MINE, "plan")

    used, sent = await one_story(place, MINE)

    assert used is not None
    assert (used.account, used.billing) == ("plan", Billing.SUBSCRIPTION)
    assert sent == token


async def test_a_sign_in_of_an_earlier_release_waits_behind_a_logged_in_program(
    place: Place, tmp_path: Path
) -> None:
    claude = install(tmp_path / "stand-in")
    place.workspace.environ = {"PATH": claude.path}
    place.settings(PRO_MAX)
    issued = place.server.issue_tokens()
    entry = {"auth_method": "oauth", "access_token": issued.access_token, "refresh_token": issued.refresh_token}
    leave_older_store(place.workspace, {PRO_MAX: {**entry, "client_id": CLIENT_ID}})

    used, sent = await one_story(place, PRO_MAX)

    assert used is not None
    assert (used.method, sent) == ("claude-cli", "")
    [older] = [c for c in (await place.status(PRO_MAX)).credentials if c.place == "older-store"]
    assert not older.is_used


async def test_a_sign_in_of_an_earlier_release_is_told_as_such_where_it_is_used_and_stays_so(place: Place) -> None:
    place.settings(PRO_MAX)
    issued = place.server.issue_tokens()
    entry = {"auth_method": "oauth", "access_token": issued.access_token, "refresh_token": issued.refresh_token}
    older = {**entry, "client_id": CLIENT_ID, "expires_at": int(time.time()) - 5}
    leave_older_store(place.workspace, {PRO_MAX: older})
    place.workspace.ensemble("one", {"name": "a", "provider": PRO_MAX, "model": "m"})

    for _ in range(2):  # the renewal copies it into our store, and that makes it nobody's choice
        _, seen = await run(place.workspace.app(), "one")
        [agent] = seen.plans[0].agents
        assert agent.why.startswith("an earlier release left it")
        assert any("earlier release" in notice and "auth migrate" in notice for notice in seen.plans[0].notices)
    used = await place.used(PRO_MAX)

    assert used is not None
    assert used.place == "older-store"


async def test_a_key_of_an_earlier_release_is_no_consent_to_a_bill(place: Place) -> None:
    place.settings("anthropic-api")
    place.workspace.settings(
        {
            "providers": {
                "anthropic-api": place.providers["anthropic-api"],
                "ollama": {"base_url": "http://127.0.0.1:9/v1"},
            }
        }
    )
    leave_older_store(place.workspace, {"anthropic-api": {"auth_method": "api_key", "api_key": "sk-old"}})
    place.workspace.ensemble("open", {"name": "a"})

    with pytest.raises(AuthError, match="per token"):
        await run(place.workspace.app(), "open")

    assert place.sandbox.request_count == 0


async def test_a_sign_in_of_an_earlier_release_counts_as_a_plan_only_where_its_provider_has_one(
    place: Place,
) -> None:
    place.settings("anthropic-api")
    entry = {"auth_method": "oauth", "access_token": "at-old-of-an-api"}
    leave_older_store(place.workspace, {"anthropic-api": entry})

    used, _ = await one_story(place, "anthropic-api")

    assert used is not None
    assert used.billing is Billing.METERED


async def test_a_key_that_is_named_for_a_plan_is_never_sent_as_if_the_plan_paid(place: Place) -> None:
    place.settings(PRO_MAX, api_key_env="STRAY", auth_method="oauth")
    place.workspace.environ["STRAY"] = "sk-stray"

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")


# --- what can't be used ------------------------------------------------------------------------------------


async def test_a_refused_key_is_shown_so_not_sent_and_replaced_by_nothing_that_was_merely_found(
    place: Place,
) -> None:
    place.settings("openai")
    place.key("openai", "sk-refused")
    place.refuse("openai", "sk-refused")
    place.workspace.environ["OPENAI_API_KEY"] = "sk-in-the-environment"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")
    rows = (await place.status("openai")).credentials
    assert [(row.place, row.state) for row in rows] == [("store", "refused"), ("environment", "unverified")]
    assert "auth test openai" in str(rows[0].hint)


async def test_another_key_in_the_place_of_a_refused_one_is_tried(place: Place) -> None:
    place.settings("openai")
    place.key("openai", "sk-refused")
    place.refuse("openai", "sk-refused")
    place.key("openai", "sk-new")

    used, sent = await one_story(place, "openai")

    assert used is not None
    assert (used.state, sent) == ("unverified", "sk-new")


async def test_an_expired_sign_in_without_a_client_id_is_not_said_to_renew_itself(place: Place) -> None:
    place.settings(PRO_MAX, oauth={"token_endpoint": place.server.token_endpoint})
    place.sign_in(PRO_MAX, lifetime_s=-5, client_id=None)

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")
    [row] = [c for c in (await place.status(PRO_MAX)).credentials if c.place == "store"]
    assert row.state == "expired"
    assert "client id" in row.why


async def test_a_preferred_program_that_is_logged_out_is_not_used(place: Place, tmp_path: Path) -> None:
    claude = install(tmp_path / "stand-in")
    claude.set_up(status=LOGGED_OUT)
    place.workspace.environ = {"PATH": claude.path}
    place.settings(PRO_MAX, auth_method="claude-cli")

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")
    [row] = (await place.status()).credentials
    assert (row.provider, row.method, row.state, row.hint) == (
        PRO_MAX,
        "claude-cli",
        "absent",
        "claude auth login",
    )
    assert not (await place.status()).is_good


async def test_a_plan_that_was_chosen_and_failed_is_not_replaced_by_a_stored_key_unasked(place: Place) -> None:
    place.providers["openai-compatible"] = {"base_url": "http://127.0.0.1:9/v1"}
    place.settings(MINE, default_model="m")
    place.settings("openai")
    place.sign_in(MINE, lifetime_s=-5, renewable=False)
    place.key("openai", "sk-metered")
    place.workspace.ensemble("open", {"name": "a"})

    with pytest.raises(AuthError) as caught:
        await run(place.workspace.app(), "open")

    assert "has ended" in caught.value.message
    assert "per token" in caught.value.message
    assert place.sandbox.request_count == 0


@pytest.mark.parametrize("value", ["", "  ", "\n"])
async def test_a_blank_variable_is_none(place: Place, value: str) -> None:
    place.settings("openai")
    place.workspace.environ["OPENAI_API_KEY"] = value

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")


async def test_a_key_file_that_can_not_be_read_stops_the_run_and_the_status(place: Place) -> None:
    place.settings("openai", api_key_file=str(place.workspace.root / "no-such-file"))
    place.workspace.environ["OPENAI_API_KEY"] = "sk-in-the-environment"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")
    [row] = (await place.status("openai")).credentials
    assert (row.place, row.state) == ("configuration", "absent")


async def test_a_server_that_needs_no_credential_is_good_without_one(place: Place) -> None:
    place.settings("openai")

    used, _ = await one_story(place, "openai-compatible")

    assert used is not None
    assert used.billing is Billing.LOCAL


async def test_a_damaged_entry_is_called_damaged_and_stops_what_it_would_have_paid_for(place: Place) -> None:
    place.settings("openai")
    place.key("openai", "sk-1")
    file = place.workspace.config / "credentials.json"
    text = file.read_text()
    at = text.index('"ciphertext": "') + len('"ciphertext": "')
    file.write_text(text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1 :])
    place.workspace.environ["OPENAI_API_KEY"] = "sk-in-the-environment"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")
    row = (await place.status()).credentials[0]
    assert row.state == "damaged"
    assert str(file) in row.why
    assert "llm-orc auth remove openai" in str(row.hint)


# --- all of it together ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredEntry:
    account: str
    is_key: bool
    is_over: bool = False
    is_renewable: bool = True
    has_client: bool = True
    is_refused: bool = False


ENTRIES = st.builds(
    StoredEntry,
    account=st.sampled_from(["default", "work"]),
    is_key=st.booleans(),
    is_over=st.booleans(),
    is_renewable=st.booleans(),
    has_client=st.booleans(),
    is_refused=st.booleans(),
)
ORDERS = st.lists(st.sampled_from(["api-key", "oauth"]), max_size=2, unique=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    provider=st.sampled_from([MINE, "anthropic-api", "openai", PRO_MAX]),
    order=ORDERS,
    entries=st.lists(ENTRIES, max_size=3),
    older=st.sampled_from([None, "key", "sign-in", "ended"]),
    variable=st.sampled_from([None, "", "sk-environment"]),
    names_variable=st.booleans(),
    is_variable_refused=st.booleans(),
)
async def test_status_explain_run_and_result_tell_one_story(
    tmp_path_factory: pytest.TempPathFactory,
    provider: str,
    order: list[str],
    entries: list[StoredEntry],
    older: str | None,
    variable: str | None,
    names_variable: bool,
    is_variable_refused: bool,
) -> None:
    server = OAuthServer()
    async with Sandbox(oauth=server) as sandbox:
        place = Place(Workspace(tmp_path_factory.mktemp("story") / "user"), sandbox, server)
        name = VARIABLES.get(provider, "MY_KEY")
        place.settings(
            provider,
            **({"auth_method": order} if order else {}),
            **({"api_key_env": name} if names_variable else {}),
        )
        place.workspace.environ = {"PATH": "/nowhere", **({} if variable is None else {name: variable})}
        forbidden = set()
        for number, entry in enumerate(entries):
            secret = f"sk-{number}-{entry.account}"
            if entry.is_key:
                place.key(provider, secret, entry.account)
            else:
                secret = place.sign_in(
                    provider,
                    entry.account,
                    lifetime_s=-5 if entry.is_over else 3600,
                    renewable=entry.is_renewable,
                    client_id=CLIENT_ID if entry.has_client else None,
                )
            if entry.is_refused or (entry.is_over and not entry.is_key):
                forbidden.add(secret)
            if entry.is_refused:
                place.refuse(provider, secret)
        if older is not None:
            issued = server.issue_tokens()
            sign_in = {"auth_method": "oauth", "access_token": issued.access_token, "expires_at": 1.0}
            leave_older_store(
                place.workspace,
                {
                    provider: {
                        "key": {"auth_method": "api_key", "api_key": "sk-older"},
                        "sign-in": {**sign_in, "refresh_token": issued.refresh_token, "client_id": CLIENT_ID},
                        "ended": sign_in,
                    }[older]
                },
            )
        if is_variable_refused and variable:
            place.refuse(provider, variable)
            forbidden.add(variable)

        used, sent = await one_story(place, provider)

        assert sent not in forbidden
        if provider == PRO_MAX and used is not None and used.billing is Billing.SUBSCRIPTION:
            assert not sent.startswith("sk-")
        if used is not None and used.method == "api-key":
            assert used.billing is Billing.METERED
            assert sent.startswith("sk-")
