"""A machine with stored, found and preferred ways in, and what all who tell of them say: they must agree."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml
from cryptography.fernet import Fernet

from llm_orc.app.access.credentials import open_credentials, open_refusals
from llm_orc.app.access.explain import explain_access
from llm_orc.app.accounts.official_cli import look_at_clis
from llm_orc.app.accounts.status import AuthStatus, CredentialStatus, auth_status
from llm_orc.app.accounts.verify import try_access
from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.diagnostics.doctor import examine
from llm_orc.app.diagnostics.status import look
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.setup.inventory import inventory
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.cli.auth.list import all_credentials
from llm_orc.cli.auth.values import credential_value
from llm_orc.errors import AuthError, CredentialRefused
from llm_orc.providers.lookup import find_provider
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, on_sandbox, run

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

    def key(
        self, provider: str, text: str, account: str = "default", *, billing: Billing = Billing.METERED
    ) -> None:
        open_credentials(self.workspace.app()).store_api_key(provider, text, account=account, billing=billing)

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

    def refresh_token(self, provider: str) -> str:
        """Return that of the active account."""
        entry = open_credentials(self.workspace.app()).get(provider)
        assert entry is not None
        assert isinstance(entry.credential, OAuthToken)
        assert entry.credential.refresh_token is not None
        return entry.credential.refresh_token.reveal()

    def refuse(self, provider: str, secret: str) -> None:
        """A provider has said no to `secret` before."""
        refusals = open_refusals(self.workspace.app())
        refusals.remember(self.sandbox.origin, Secret(secret), CredentialRefused("no", provider_message="bad key"))

    async def status(self, provider: str | None = None) -> AuthStatus:
        app = self.workspace.app()
        return auth_status(app, provider, await look_at_clis(app, provider))

    async def used(self, provider: str) -> CredentialStatus | None:
        return next(iter((await self.status(provider)).used()), None)

    async def listed(self, provider: str) -> list[tuple[object, ...]]:
        """What `auth list` marks as used; it lists credentials, and so no server that needs none."""
        rows = (credential_value(row) for row in (await all_credentials(self.workspace.app())).credentials)
        return [
            tuple(row[key] for key in ("account", "method", "place", "billing", "label"))
            for row in rows
            if row["is_used"] and row["provider"] == provider
        ]

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
        sent = [credential_of(request.headers) for request in self.sandbox.requests[before:]]
        return explained, result, sent[0] if sent else ""


def credential_of(headers: Mapping[str, str]) -> str:
    return headers.get("x-api-key") or headers.get("Authorization", "").removeprefix("Bearer ")


async def one_story(place: Place, provider: str) -> tuple[CredentialStatus | None, str]:
    """Check that all who tell tell the same, and return the row that is used and what was sent."""
    used = await place.used(provider)
    explained, result, sent = await place.asked(provider)

    assert explained == result
    assert (used is None) == (result is None)
    assert (await place.status(provider)).is_good == (used is not None)
    assert await place.listed(provider) == ([_told(used)] if used is not None and used.method is not None else [])
    everything = await place.status()
    if any(row.provider == provider for row in everything.credentials):
        assert (provider in everything.without_way) == (used is None)
    if used is not None and result is not None:
        method = used.method or "none"
        assert (method, used.billing) == (result.method, result.billing)
    return used, sent


async def whole_story(place: Place, provider: str) -> tuple[CredentialStatus | None, str]:
    """Check beside `one_story` that `check`, `status`, `auth test`, `doctor` and `setup` tell the same."""
    used, sent = await one_story(place, provider)
    app = place.workspace.app()
    report = await check_ensemble(app, "one")
    proven: Access | None = None
    with suppress(AuthError):
        proven = (await try_access(app, provider, "claude-m", again=False)).access
    status = {row.provider: row for row in (await look(app)).credentials if row.is_used}
    examined = await examine(app.environment, online=False)
    good = [one for one in examined if one.grade == "ok" and one.says.startswith(f"`{provider}`")]
    offers = {one.provider: one for one in (await inventory(app)).found}

    assert report.can_run == (used is not None)
    if used is None:
        # Setting up offers a plan that only needs its user's yes, and asks for it.
        offered = provider in offers and offers[provider].billing is not Billing.PLAN_CREDITS
        assert (proven, provider in status, good, offered) == (None, False, [], False)
        return used, sent
    assert report.plan is not None
    access = report.plan.agents[0].access
    assert (access.method, access.billing) == (used.method or "none", used.billing)
    assert proven == access
    if used.method is not None:  # what needs no credential is not listed among credentials
        assert _told(status[provider]) == _told(used)
        assert [used.billing in one.says for one in good] == [True]
    spec = find_provider(provider, app.settings.providers)
    if spec.default_model is not None:
        # Setting up offers a plan that only needs its user's yes before what a run would use without it.
        assert offers[provider].billing in {used.billing, Billing.PLAN_CREDITS}
    return used, sent


def _told(row: CredentialStatus) -> tuple[object, ...]:
    return row.account, row.method, row.place, row.billing, row.label or None
