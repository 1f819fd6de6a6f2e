"""What credentials there are, how they are, and which of them a run would use. Nobody is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from llm_orc.app.credentials import open_ant_profile, open_credentials
from llm_orc.app.entry_state import EntryState, state_of
from llm_orc.auth.access import Billing
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.source import find_api_key
from llm_orc.auth.storage import StoreState
from llm_orc.auth.stores.ant_profile import PROVIDER as ANT_PROVIDER
from llm_orc.auth.stores.keys import Protection
from llm_orc.errors import NotLoggedIn
from llm_orc.providers.catalog import PROVIDERS, find_provider
from llm_orc.settings.model import AuthMethodName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.storage import CredentialStorage
    from llm_orc.providers.catalog import ProviderSpec
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.settings.model import ProviderSettings

State = EntryState | Literal["locked", "corrupt", "absent"]
Place = Literal["configuration", "store", "environment", "profile", "program", "nowhere"]
_USABLE: frozenset[State] = frozenset({"verified", "unverified", "lapsed"})
_OF_STORE: dict[str, State] = {
    "locked": "locked",
    "wrong_key": "locked",
    "unsafe": "locked",
    "corrupt": "corrupt",
    "foreign": "corrupt",
}


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """One credential, or the place where one should be. Holds no secret. Times are Unix seconds.

    `why` says what the state rests on, `use` why a run would take it or not, `hint` what to do about it.
    """

    provider: str
    account: str | None  # None: a place that knows no accounts
    method: AuthMethodName | None
    place: Place
    source: str
    state: State
    why: str
    billing: Billing
    is_used: bool = False
    use: str = ""
    shadows: tuple[str, ...] = ()
    shadowed_by: str | None = None
    hint: str | None = None
    is_active: bool = True  # of the stored accounts, the one that runs use
    label: str = ""
    scopes: tuple[str, ...] = ()
    obtained_at: float | None = None
    expires_at: float | None = None
    refreshed_at: float | None = None
    proven_at: float | None = None
    terms_acknowledged_at: float | None = None
    clock_skew_s: float | None = None  # the provider's clock minus ours, when it last gave a token
    is_own: bool = False  # in our own store, so that more can be remembered of it

    @property
    def is_usable(self) -> bool:
        return self.state in _USABLE


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """Everything there is. `protection` is None where there is no store yet."""

    store: StoreState
    protection: Protection | None
    credentials: tuple[CredentialStatus, ...]
    notices: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Can every credential that a run would use do its work, as far as is known?"""
        missing = any(c.state == "absent" and c.hint is not None for c in self.credentials)
        return not missing and all(credential.is_usable for credential in self.used())

    def used(self) -> tuple[CredentialStatus, ...]:
        return tuple(credential for credential in self.credentials if credential.is_used)


def auth_status(
    app: App, provider: str | None = None, clis: Mapping[str, CliState] = MappingProxyType({})
) -> AuthStatus:
    """Look at every place; for one `provider` there is always a row, `absent` if need be.

    `clis` are the official programs as they were found; without them, none is mentioned.

    Raises `SettingsError` for a provider that nobody knows.
    """
    storage = open_credentials(app)
    if provider is not None and provider not in storage.providers:
        find_provider(provider, app.settings.providers)
    state = storage.state
    entries = storage.entries() if state.is_usable else ()
    names = [provider] if provider is not None else _providers(app, storage, entries)
    found: list[CredentialStatus] = []
    for name in names:
        rows = [*_places(app, name, storage, state, [e for e in entries if e.provider == name])]
        rows += _through_program(app, name, clis, is_asked_for=provider is not None)
        rows = _as_preferred(rows, app.settings.providers.get(name))
        found += _ranked(rows)
        if not rows and provider is not None:
            found.append(_absent(app, name))
    notices = (*storage.notices, *(open_ant_profile(app).read().notices if ANT_PROVIDER in names else ()))
    return AuthStatus(state, storage.protection, tuple(found), notices)


def _providers(app: App, storage: CredentialStorage, entries: Iterable[Entry]) -> list[str]:
    known = dict.fromkeys([*PROVIDERS, *app.settings.providers])
    return list(dict.fromkeys([*known, *storage.providers, *(entry.provider for entry in entries)]))


# --- the places, in the order in which they count -----------------------------------------------------------


def _places(
    app: App, provider: str, storage: CredentialStorage, state: StoreState, entries: list[Entry]
) -> Iterator[CredentialStatus]:
    now = app.clock.now()
    own = app.settings.providers.get(provider)
    spec = _spec(app, provider)
    named = own is not None and bool(own.api_key_env or own.api_key_file)
    if named and spec is not None:
        yield _in_configuration(app, spec)
    for entry in sorted(entries, key=lambda entry: not entry.is_active):
        yield _stored(entry, now, str(storage.path))
    if not state.is_usable and provider in storage.providers:
        yield _unreadable(provider, spec, state)
    if spec is not None and not named:
        places = [list(_in_environment(app, spec)), list(_in_profile(app, provider, entries))]
        is_wanted = own is not None and own.auth_methods[:1] == ("oauth",)
        for rows in reversed(places) if is_wanted else places:
            yield from rows


def _spec(app: App, provider: str) -> ProviderSpec | None:
    """None for an entry whose provider the configuration no longer knows."""
    if provider in PROVIDERS or provider in app.settings.providers or "/" in provider:
        return find_provider(provider, app.settings.providers)
    return None


def _in_configuration(app: App, spec: ProviderSpec) -> CredentialStatus:
    own = app.settings.providers[spec.name]
    place = f"key file {own.api_key_file}" if own.api_key_file else f"environment variable {own.api_key_env}"
    source = f"{place}, named in the configuration"
    try:
        find_api_key(app.surroundings.environ, usual=(), variable=own.api_key_env, file=own.api_key_file)
    except NotLoggedIn as e:
        return CredentialStatus(
            spec.name, None, "api-key", "configuration", source, "absent", e.message, spec.billing, hint=e.hint
        )
    return _untried(spec, "configuration", source)


def _in_environment(app: App, spec: ProviderSpec) -> Iterator[CredentialStatus]:
    for variable in spec.api_key_env:
        if app.surroundings.environ.get(variable, "").strip():
            yield _untried(spec, "environment", f"environment variable {variable}")


def _in_profile(app: App, provider: str, entries: list[Entry]) -> Iterator[CredentialStatus]:
    """The sign-in of Anthropic's own tool, where the store has nothing of this provider."""
    if provider == ANT_PROVIDER and not entries and (entry := open_ant_profile(app).entry) is not None:
        yield replace(_stored(entry, app.clock.now(), ""), place="profile")


def _through_program(
    app: App, provider: str, clis: Mapping[str, CliState], *, is_asked_for: bool
) -> Iterator[CredentialStatus]:
    """The login of an official CLI: seen, not proven. One that can't be used is mentioned where it matters."""
    spec = _spec(app, provider)
    own = app.settings.providers.get(provider)
    if spec is None or spec.cli is None or spec.cli not in clis:
        return
    state = clis[spec.cli]
    is_wanted = is_asked_for or (own is not None and spec.cli in own.auth_methods)
    if not is_wanted and (state.problem is not None or provider == spec.cli == "claude-cli"):
        return
    yield CredentialStatus(
        provider,
        None,
        spec.cli,
        "program",
        state.in_words,
        "unverified" if state.problem is None else "absent",
        "it says that it is logged in; `llm-orc auth test` proves it"
        if state.problem is None
        else state.problem.message,
        Billing.SUBSCRIPTION,
        hint=None if state.problem is None else state.problem.hint,
    )


def _as_preferred(rows: list[CredentialStatus], own: ProviderSettings | None) -> list[CredentialStatus]:
    """In the order of `auth_method`, what it doesn't name behind it."""
    order = own.auth_methods if own is not None else ()
    return sorted(rows, key=lambda row: order.index(row.method) if row.method in order else len(order))


def _untried(spec: ProviderSpec, place: Place, source: str) -> CredentialStatus:
    why = "it is read where it stands, and nothing is remembered of it"
    return CredentialStatus(spec.name, None, "api-key", place, source, "unverified", why, spec.billing)


def _unreadable(provider: str, spec: ProviderSpec | None, store: StoreState) -> CredentialStatus:
    return CredentialStatus(
        provider,
        None,
        None,
        "store",
        f"credential store {store.path}",
        _OF_STORE[store.name],
        store.words,
        spec.billing if spec is not None else Billing.METERED,
        hint=store.hint,
    )


def _absent(app: App, provider: str) -> CredentialStatus:
    spec = find_provider(provider, app.settings.providers)
    needs = spec.credential != "none"
    return CredentialStatus(
        provider,
        None,
        None,
        "nowhere",
        "nowhere",
        "absent",
        "there is no credential" if needs else "it needs no credential",
        spec.billing,
        hint=f"llm-orc auth add {provider}" if needs else None,
    )


def _stored(entry: Entry, now: float, path: str) -> CredentialStatus:
    state = state_of(entry, now)
    token = entry.credential if isinstance(entry.credential, OAuthToken) else None
    source = {
        "own": f"credential store {path}",
        "older-store": "an older store, read only",
        "ant-profile": f"the profile `{entry.account}` of `ant auth login`",
    }[entry.source]
    return CredentialStatus(
        entry.provider,
        entry.account,
        "api-key" if token is None else "oauth",
        "store",
        source,
        state.name,
        state.why,
        entry.billing,
        hint=state.hint,
        is_active=entry.is_active,
        label=entry.label,
        scopes=token.scopes if token else (),
        obtained_at=entry.obtained_at,
        expires_at=token.expires_at if token else None,
        refreshed_at=entry.refreshed_at,
        proven_at=entry.proven_at,
        terms_acknowledged_at=entry.terms_acknowledged_at,
        clock_skew_s=token.clock_skew_s if token else None,
        is_own=entry.source == "own",
    )


# --- which of them counts -----------------------------------------------------------------------------------


def _ranked(rows: list[CredentialStatus]) -> Iterator[CredentialStatus]:
    """The first that a run would look at is used, whatever its state: nothing else steps in silently."""
    first = next((row for row in rows if row.is_active), None)
    for row in rows:
        if row is first:
            others = tuple(name_of(other) for other in rows if other is not row)
            yield replace(row, is_used=True, use=_why_used(row, others), shadows=others)
        elif first is not None and not row.is_active:
            switch = f"another account is active; change it with: llm-orc auth switch {row.provider} {row.account}"
            yield replace(row, use=switch, shadowed_by=name_of(first))
        elif first is not None:
            yield replace(row, use=f"{name_of(first)} goes before it", shadowed_by=name_of(first))
        else:
            yield row


def _why_used(row: CredentialStatus, others: tuple[str, ...]) -> str:
    if row.place == "configuration":
        return "the configuration names it, and that goes before all else"
    if row.place == "program":
        return "it is the provider's own program; no other way was set up before it"
    if row.place == "profile" and others:
        return "`auth_method: oauth` puts it before the environment"
    if row.place == "store":
        return "what you set up goes before the environment"
    return "nothing else is set up"


def name_of(row: CredentialStatus) -> str:
    """Return a few words for one credential among those of its provider."""
    if row.place == "store" and row.account is not None:
        return f"the stored account `{row.account}`"
    return row.source
