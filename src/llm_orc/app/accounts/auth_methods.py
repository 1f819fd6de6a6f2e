"""The auth methods that a provider offers: what each is, who pays, and whether it works here and now."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import oauth_client_of, open_credentials
from llm_orc.auth.access import Billing
from llm_orc.auth.commands import in_words
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.catalog.rows import ProviderSpec
from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessNotSupported
from llm_orc.providers.lookup import find_provider, official_clis, program_billing
from llm_orc.settings.model import AuthMethodName, OAuthNotice, OAuthSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class SignInPlace:
    """Where one signs in: what settings say of it, and the client that they, or an earlier sign-in, give us."""

    settings: OAuthSettings
    client: OAuthClient

    @property
    def has_client(self) -> bool:
        """Whether a sign-in can start: with a client id, or where none is needed."""
        return not self.settings.needs_client or self.client.client_id is not None


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One auth method. `state` says what it needs to work; `notice` is what a person must agree to first."""

    name: AuthMethodName
    title: str
    billing: Billing
    is_ready: bool
    state: str
    notice: OAuthNotice | None = None
    sign_in: SignInPlace | None = None  # of `oauth` only


@dataclass(frozen=True, slots=True)
class AuthProvider:
    """A provider, looked up once, with the auth methods that it offers: those that work here come first.

    `preferred` are the methods that settings allow, in their order; empty where they name none.
    """

    spec: ProviderSpec
    methods: tuple[AuthMethod, ...]
    preferred: tuple[AuthMethodName, ...] = ()

    @property
    def name(self) -> str:
        """The name that its user calls it by."""
        return self.spec.name

    def method(self, name: AuthMethodName) -> AuthMethod:
        """Return the method of this name. Raises `AccessNotSupported` where the provider does not offer it."""
        for method in self.methods:
            if method.name == name:
                return method
        offered = ", ".join(f"`--method {method.name}`" for method in self.methods)
        raise AccessNotSupported(
            f"`{self.name}` has no `{name}`",
            hint=f"It has: {offered}" if offered else f"`{self.name}` needs no credential.",
        )


def open_provider(app: App, name: str) -> AuthProvider:
    """Look a provider up. Raises `SettingsError` for a name that is not known."""
    spec = find_provider(name, app.settings.providers)
    own = app.settings.providers.get(name)
    offered = [*_methods(spec, own.oauth if own else None, app)]
    if own is not None and own.token_command and spec.metered_sibling is None and spec.cli is None:
        offered.insert(0, _token_command(spec, own.token_command))
    methods = sorted(offered, key=lambda method: not method.is_ready)
    return AuthProvider(spec, tuple(methods), own.auth_methods if own else ())


def _methods(spec: ProviderSpec, oauth: OAuthSettings | None, app: App) -> Iterator[AuthMethod]:
    if spec.cli is not None:
        yield _official_cli(spec, spec.cli, app)
    if oauth is not None:
        yield _oauth(spec, SignInPlace(oauth, _client(app, spec, oauth)))
    if spec.metered_sibling is not None:
        sibling = PROVIDERS[spec.metered_sibling]
        title = f"Use the API key of `{sibling.name}` instead"
        state = f"set it up with: llm-orc auth add {sibling.name}"
        yield AuthMethod("api-key", title, sibling.billing, is_ready=False, state=state)
    if spec.takes_key:
        state = f"ready; keys are at {spec.keys_at}" if spec.keys_at else "ready"
        title = "Paste an API key" if spec.billing is Billing.METERED else "Paste the key of your plan"
        yield AuthMethod("api-key", title, spec.billing, is_ready=True, state=state, notice=_notice(spec))


def _token_command(spec: ProviderSpec, argv: tuple[str, ...]) -> AuthMethod:
    state = f"set up in the configuration: `{in_words(argv)}`"
    return AuthMethod("token-command", "Use your token command", spec.billing, is_ready=True, state=state)


def _notice(spec: ProviderSpec) -> OAuthNotice | None:
    said = spec.key_notice
    return None if said is None else OAuthNotice(said.text, said.link, said.date)


def _client(app: App, spec: ProviderSpec, oauth: OAuthSettings) -> OAuthClient:
    """Return the configured client; one without an id gets that of an earlier sign-in, of an older store, too."""
    client = oauth_client_of(spec.name, oauth)
    if client.client_id is None and oauth.needs_client:
        storage = open_credentials(app)
        token = entry.credential if storage.state.is_usable and (entry := storage.get(spec.name)) else None
        if isinstance(token, OAuthToken):
            return replace(client, client_id=token.client_id)
    return client


def _official_cli(spec: ProviderSpec, name: str, app: App) -> AuthMethod:
    """Only whether it is installed: asking it how it is logged in takes half a second."""
    program = official_clis(app.settings.providers)[name]
    found = shutil.which(program.command, path=app.environment.environ.get("PATH", ""))
    state = "the supported method; " + (f"found at {found}" if found else f"first: {program.install_hint}")
    title = f"Use {program.title}, `{program.command}`, and its login"
    billing = program_billing(spec, program)
    return AuthMethod(name, title, billing, is_ready=found is not None, state=state)


def _oauth(spec: ProviderSpec, place: SignInPlace) -> AuthMethod:
    billing = Billing(place.settings.billing) if place.settings.billing else spec.billing
    state = "ready" if place.has_client else f"needs `providers.{spec.name}.oauth.client_id` in config.yaml"
    title = place.settings.action or "Sign in with the browser"
    return AuthMethod("oauth", title, billing, place.has_client, state, place.settings.notice, place)
