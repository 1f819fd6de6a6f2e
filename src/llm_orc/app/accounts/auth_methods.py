"""The ways to get access that a provider offers: what each is, who pays, and whether it works here and now."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import oauth_client_of, open_credentials
from llm_orc.auth.access import Billing
from llm_orc.auth.credential import OAuthToken
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS
from llm_orc.errors import AccessNotSupported
from llm_orc.providers.lookup import find_provider
from llm_orc.settings.model import AuthMethodName, OAuthNotice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.wiring import App
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.settings.model import OAuthSettings

WayName = AuthMethodName


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One way; `state` says in words what it needs, `notice` what a person must agree to first."""

    name: WayName
    title: str
    billing: Billing
    is_ready: bool
    state: str
    notice: OAuthNotice | None = None


def auth_methods(app: App, provider: str) -> tuple[AuthMethod, ...]:
    """Return the ways, those that work first. Raises `SettingsError` for a provider that nobody knows."""
    spec = find_provider(provider, app.settings.providers)
    return tuple(sorted(_ways(spec, app), key=lambda way: not way.is_ready))


def find_auth_method(app: App, provider: str, name: WayName) -> AuthMethod:
    """Raises `AccessNotSupported` where the provider does not offer this way, or not in this version."""
    ways = auth_methods(app, provider)
    for way in ways:
        if way.name == name:
            break
    else:
        raise AccessNotSupported(f"`{provider}` has no `{name}`", hint=_hint(provider, ways))
    return way


def oauth_client(app: App, provider: str, oauth: OAuthSettings) -> OAuthClient:
    """The configured client; where it has no id, with that of an earlier sign-in (of an older store, perhaps)."""
    client = oauth_client_of(provider, oauth)
    if client.client_id is None and oauth.needs_client:
        storage = open_credentials(app)
        token = entry.credential if storage.state.is_usable and (entry := storage.get(provider)) else None
        if isinstance(token, OAuthToken):
            return replace(client, client_id=token.client_id)
    return client


def _ways(spec: ProviderSpec, app: App) -> Iterator[AuthMethod]:
    own = app.settings.providers.get(spec.name)
    if spec.cli is not None:
        yield _official_cli(spec.cli, app)
    if own is not None and own.oauth is not None:
        yield _oauth(spec, own.oauth, app)
    if spec.metered_sibling is not None:
        sibling = PROVIDERS[spec.metered_sibling]
        title = f"Use the API key of `{sibling.name}` in its place"
        state = f"set it up with: llm-orc auth add {sibling.name}"
        yield AuthMethod("api-key", title, sibling.billing, is_ready=False, state=state)
    # A key is never paid for by a plan: where the plan pays, there is no key to add.
    if spec.credential != "none" and spec.billing is not Billing.SUBSCRIPTION:
        state = f"ready; keys are at {spec.keys_at}" if spec.keys_at else "ready"
        yield AuthMethod("api-key", "Paste an API key", spec.billing, is_ready=True, state=state)


def _official_cli(name: str, app: App) -> AuthMethod:
    """Only whether it is there: asking it how it is logged in takes half a second."""
    program = OFFICIAL_CLIS[name]
    found = shutil.which(program.command, path=app.environment.environ.get("PATH", ""))
    state = "the supported way; " + (f"found at {found}" if found else f"first: {program.install_hint}")
    title = f"Use {program.title}, `{program.command}`, and its sign-in"
    return AuthMethod(name, title, Billing.SUBSCRIPTION, is_ready=found is not None, state=state)


def _oauth(spec: ProviderSpec, oauth: OAuthSettings, app: App) -> AuthMethod:
    billing = Billing(oauth.billing) if oauth.billing else spec.billing
    is_ready = not oauth.needs_client or oauth_client(app, spec.name, oauth).client_id is not None
    state = "ready" if is_ready else f"needs `providers.{spec.name}.oauth.client_id` in config.yaml"
    return AuthMethod("oauth", "Sign in with the browser", billing, is_ready, state, oauth.notice)


def _hint(provider: str, ways: tuple[AuthMethod, ...]) -> str:
    if not ways:
        return f"`{provider}` needs no credential."
    return "It has: " + ", ".join(f"`--method {way.name}`" for way in ways)
