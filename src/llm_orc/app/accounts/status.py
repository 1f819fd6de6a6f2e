"""The credentials, their states, and which of them a run would use. Calls no provider."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.credentials import open_ant_profile, open_credentials, open_resolver
from llm_orc.app.access.route import Place
from llm_orc.auth.access import Billing, Method
from llm_orc.auth.credential import OAuthToken, server_of
from llm_orc.auth.standing import StandingName
from llm_orc.auth.storage import StoreState
from llm_orc.auth.stores.ant_profile import PROVIDER as ANT_PROVIDER
from llm_orc.auth.stores.keys import Protection
from llm_orc.catalog.rows import InteractiveOnly
from llm_orc.catalog.table import PROVIDERS, is_alias
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError
from llm_orc.providers.lookup import find_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llm_orc.app.access.resolver import Resolver
    from llm_orc.app.access.route import Route
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.storage import CredentialStorage
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.settings.model import OAuthSettings


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """One credential, or the source that should have one. Contains no secret. Times are Unix seconds.

    `why` is the reason for the state, `use` why a run would use it or not, `hint` what to do about it.
    """

    provider: str
    account: str | None  # None: a source without accounts
    method: Method | None
    place: Place
    source: str
    state: StandingName
    why: str
    billing: Billing
    is_used: bool = False
    use: str = ""
    shadows: tuple[str, ...] = ()
    shadowed_by: str | None = None
    hint: str | None = None
    is_active: bool = True  # the active one of the stored accounts
    label: str = ""
    spend_cap: str = ""  # as the provider told when it was obtained
    scopes: tuple[str, ...] = ()
    obtained_at: float | None = None
    expires_at: float | None = None
    refreshed_at: float | None = None
    proven_at: float | None = None
    terms_acknowledged_at: float | None = None
    clock_skew_s: float | None = None  # the provider's clock minus ours, when it last issued a token
    earliest_refresh_at: float | None = None  # before it, the server allows no refresh
    in_use: str = ""  # the provider's words for a sign-in that runs use
    usage_page: str = ""  # where its user sees and limits the usage
    is_usable: bool = True  # a run could send it now
    counts: bool = True  # can a run call this provider at all?
    interactive_only: InteractiveOnly | None = None  # why a run needs a person at the terminal


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """All credentials. `protection` is None if there is no store yet."""

    store: StoreState
    protection: Protection | None
    credentials: tuple[CredentialStatus, ...]
    notices: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Does every provider shown have a route that a run would take?"""
        return self.store.is_usable and not self.without_way

    @property
    def without_way(self) -> tuple[str, ...]:
        """The providers shown that a run can't use."""
        shown = dict.fromkeys(one.provider for one in self.credentials if one.counts)
        used = {one.provider for one in self.used()}
        return tuple(provider for provider in shown if provider not in used)

    def first_of_each(self) -> tuple[CredentialStatus, ...]:
        """For each provider the credential that a run would use, or what keeps a run from using it."""
        first = {one.provider: one for one in reversed(self.credentials)}
        return tuple((first | {one.provider: one for one in self.used()}).values())

    def used(self) -> tuple[CredentialStatus, ...]:
        return tuple(credential for credential in self.credentials if credential.is_used)


def auth_status(
    app: App, provider: str | None = None, clis: Mapping[str, CliState] = MappingProxyType({})
) -> AuthStatus:
    """Return all routes, as a run ranks them; one `provider` always has a row, `absent` if need be.

    `clis` are the states of the official programs; without them, none is listed.

    Raises `SettingsError` for an unknown provider.
    """
    storage, resolver = open_credentials(app), open_resolver(app)
    stored = resolver.stored_providers()
    if provider is not None and provider not in stored:
        find_provider(provider, app.settings.providers)
    names = [provider] if provider else dict.fromkeys([*PROVIDERS, *app.settings.providers, *stored])
    rows: list[CredentialStatus] = []
    for name in names:
        rows += _rows(app, name, resolver, clis, is_asked_for=provider is not None) or _unknown(app, name, storage)
    notices = (*storage.notices, *(open_ant_profile(app).read().notices if ANT_PROVIDER in names else ()))
    return AuthStatus(storage.state, _protection(storage), tuple(rows), notices)


def _protection(storage: CredentialStorage) -> Protection | None:
    return storage.protection if storage.state.name not in {"corrupt", "foreign", "unsafe"} else None


def _rows(
    app: App, provider: str, resolver: Resolver, clis: Mapping[str, CliState], *, is_asked_for: bool
) -> list[CredentialStatus]:
    choice = ModelChoice(provider, None, named_by="user")
    try:
        program = resolver.program_of(choice)
        routes = resolver.routes(choice, clis.get(program) if program else None)
    except LlmOrcError:
        if is_asked_for and provider not in resolver.stored_providers():
            raise
        return []
    own = app.settings.providers.get(provider)
    is_preferred = own is not None and bool(own.auth_methods)
    is_stored = provider in resolver.stored_providers()
    shown = [
        route
        for route in routes
        if is_asked_for or _is_notable(route, is_preferred=is_preferred, is_stored=is_stored)
    ]
    used = next((route for route in routes if route.is_used), None)
    oauth = own.oauth if own is not None else None
    return [_row(route, provider, used, shown, oauth) for route in shown]


def _is_notable(route: Route, *, is_preferred: bool, is_stored: bool) -> bool:
    """True for what exists, and for what is missing although the settings prefer it."""
    if route.place == "nowhere":
        return is_preferred and route.method != "none"
    if route.place == "program":
        return is_preferred or (route.problem is None and not is_alias(route.spec))
    return route.method is not None or is_stored  # an unreadable store is reported once


def _row(
    route: Route, provider: str, used: Route | None, shown: list[Route], oauth: OAuthSettings | None
) -> CredentialStatus:
    entry = route.found.entry if route.found is not None else None
    of_sibling = f" (key of `{route.spec.name}`)" if route.spec.name != provider else ""
    standing = route.standing
    problem = route.problem if standing.problem is None else None  # about the address, not the credential
    hint = (problem.hint if problem is not None else None) or standing.hint
    row = CredentialStatus(
        provider,
        entry.account if entry is not None else None,
        route.method if route.method != "none" else None,
        route.place,
        route.where + of_sibling if route.method != "none" else "nowhere",
        standing.name,
        standing.why,
        route.billing,
        is_used=route.is_used,
        use=_use(route, problem),
        hint=hint if route.is_used or not route.bar or route.problem is not None else None,
        is_active=route.is_active,
        is_usable=route.problem is None,
        interactive_only=route.spec.interactive_only,
    )
    others = tuple(other.name for other in shown if other is not route and other.standing.name != "absent")
    if route.is_used:
        row = replace(row, shadows=others)
    elif used is not None:
        row = replace(row, shadowed_by=used.name)
    if oauth is not None and entry is not None and isinstance(entry.credential, OAuthToken):
        row = replace(row, in_use=oauth.in_use or "", usage_page=oauth.usage_page or "")
    return _with_entry(row, entry)


def _use(route: Route, problem: LlmOrcError | None) -> str:
    if route.is_used:
        return route.why
    if route.bar:
        return route.bar
    if problem is not None:
        return f"it can't be used: {problem.message}"
    return "it can't be used as it is" if route.problem is not None else f"where the one before fails: {route.why}"


def _with_entry(row: CredentialStatus, entry: Entry | None) -> CredentialStatus:
    if entry is None:
        return row
    token = entry.credential if isinstance(entry.credential, OAuthToken) else None
    return replace(
        row,
        label=entry.label,
        spend_cap=entry.spend_cap,
        scopes=token.scopes if token else (),
        obtained_at=entry.obtained_at,
        expires_at=token.expires_at if token else None,
        refreshed_at=entry.refreshed_at,
        proven_at=entry.proven_at,
        terms_acknowledged_at=entry.terms_acknowledged_at,
        clock_skew_s=token.clock_skew_s if token else None,
        earliest_refresh_at=token.earliest_refresh_at if token else None,
    )


def _unknown(app: App, provider: str, storage: CredentialStorage) -> Iterator[CredentialStatus]:
    """Entries of MCP servers, and of what the configuration doesn't describe (any more): no run can use these."""
    server = server_of(provider)
    is_used = server is not None and server in app.settings.mcp_servers
    for entry in storage.of(provider).entries if storage.state.is_usable else ():
        kind: Method = "oauth" if isinstance(entry.credential, OAuthToken) else "api-key"
        why = f"no run can use it: nothing says where `{provider}` is"
        hint = f"Describe `providers.{provider}` in config.yaml, or: `llm-orc auth remove {provider}`."
        if server is not None:
            why = f"the MCP server `{server}` is " + ("asked with it" if is_used else "not configured any more")
            hint = f"To end it: `llm-orc mcp logout {server}`."
        row = CredentialStatus(
            provider,
            entry.account,
            kind,
            "store" if entry.is_set_up else "older-store",
            f"credential store {storage.path}" if entry.source == "own" else "an older store, read only",
            "unverified",
            why,
            entry.billing,
            use=why,
            hint=None if is_used else hint,
            is_active=entry.is_active,
            is_usable=is_used,
            counts=False,
        )
        yield _with_entry(row, entry)
