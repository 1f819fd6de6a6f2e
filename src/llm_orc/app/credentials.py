"""The credential of a call: what the configuration names, else what is stored, else what the environment holds."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing, Method
from llm_orc.auth.apply import ApiKeyHeader, Authoriser, NoCredential
from llm_orc.auth.credential import ApiKey, Entry, OAuthToken
from llm_orc.auth.expiry import Urgency, urgency
from llm_orc.auth.oauth.client import Notice, OAuthClient
from llm_orc.auth.profile_tokens import SIGN_IN, ProfileAuthoriser
from llm_orc.auth.refresh import hash_of
from llm_orc.auth.source import FoundKey, find_api_key
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.ant_profile import PROVIDER as ANT_PROVIDER
from llm_orc.auth.stores.ant_profile import AntProfile
from llm_orc.auth.stores.choose import choose_keys
from llm_orc.auth.stores.older import FernetStore
from llm_orc.auth.tokens import OAuthAuthoriser, Tokens
from llm_orc.errors import AccessRefused, AuthError, CredentialExpired, NotLoggedIn
from llm_orc.providers.catalog import endpoint_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.wiring import App
    from llm_orc.auth.stores.passphrase import AskPassphrase
    from llm_orc.net.transport import Transport
    from llm_orc.providers.catalog import ProviderSpec
    from llm_orc.settings.model import AuthMethodName, OAuthSettings, Settings


def open_credentials(app: App, ask_passphrase: AskPassphrase | None = None) -> CredentialStorage:
    """Return the user's credential store; nothing is read yet. Stores of earlier releases are seen through it.

    A passphrase comes from the file that `LLM_ORC_PASSPHRASE_FILE` names, or from `ask_passphrase`.
    """
    return _open(app, "credentials", older=older_stores(app), ask_passphrase=ask_passphrase)


def open_put_away(app: App) -> CredentialStorage:
    """Return the store of what `auth migrate --remove-old` took out of files: to be put back, not used."""
    return _open(app, "migrated")


def older_stores(app: App) -> tuple[FernetStore, ...]:
    """The stores of earlier releases, the newer one first."""
    return FernetStore(app.paths.config), FernetStore(app.surroundings.home / ".llm-orc")


def _open(
    app: App, name: str, *, older: tuple[FernetStore, ...] = (), ask_passphrase: AskPassphrase | None = None
) -> CredentialStorage:
    folder, environ = app.paths.config, app.surroundings.environ
    named = environ.get("LLM_ORC_PASSPHRASE_FILE", "")
    keys = choose_keys(
        folder / f"{name}.key",
        app.paths.cache,
        ask_passphrase=ask_passphrase,
        passphrase_file=Path(named) if named else None,
        environ=environ,
        clock=app.clock.now,
    )
    return CredentialStorage(
        folder / f"{name}.json",
        keys,
        older=older,
        clock=app.clock.now,
        turns=app.paths.state / "sign-ins",
    )


def open_ant_profile(app: App) -> AntProfile:
    """Return the sign-in of Anthropic's own tool. It is no part of the store: it is found, not set up here."""
    around = app.surroundings
    return AntProfile(around.environ, around.platform, around.home)


def oauth_client_of(provider: str, oauth: OAuthSettings) -> OAuthClient:
    """Return a provider's OAuth as the auth room takes it."""
    notice = oauth.notice
    return OAuthClient(
        provider=provider,
        client_id=oauth.client_id,
        issuer=oauth.issuer,
        authorization_endpoint=oauth.authorization_endpoint,
        token_endpoint=oauth.token_endpoint,
        revocation_endpoint=oauth.revocation_endpoint,
        device_authorization_endpoint=oauth.device_authorization_endpoint,
        scopes=oauth.scopes,
        redirect=oauth.redirect,
        redirect_uri=oauth.redirect_uri,
        token_request=oauth.token_request,
        extra_authorize_params=oauth.extra_authorize_params,
        extra_token_params=oauth.extra_token_params,
        state_in_token_request=oauth.state_in_token_request,
        notice=Notice(notice.text, notice.link or "", notice.date or "") if notice else None,
    )


@asynccontextmanager
async def credential_finder(app: App, http: Transport) -> AsyncIterator[CredentialFinder]:
    """The finder of one process; leaving it waits for token exchanges that are under way."""
    storage = open_credentials(app)
    async with Tokens(storage, http, app.clock.now) as tokens:
        yield CredentialFinder(
            app.settings, app.surroundings.environ, storage, tokens, ant=open_ant_profile(app), clock=app.clock.now
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A credential in use, or that there is none.

    `found` is set for keys, `entry` for what is stored, `profile` for the sign-in of another tool.
    """

    method: Method
    source: str
    billing: Billing | None = None  # None: as the provider has it
    found: FoundKey | None = None
    entry: Entry | None = None
    profile: Entry | None = None
    notice: str | None = None


NOTHING = Held("none", "no credential needed")


def in_words(held: Held) -> str:
    """Which credential it is and where it came from, as "the … was refused" wants it."""
    if held.method == "none":
        return "call without a credential"
    if held.found is not None:
        return f"API key of the {held.source}"
    return held.source


def what_to_do(held: Held, spec: ProviderSpec) -> str:
    """The next command where the provider refuses this credential."""
    where = f"; keys are at {spec.keys_at}" if spec.keys_at else ""
    if held.profile is not None:
        return f"Sign in again: {SIGN_IN}"
    if held.entry is not None:
        account = "" if held.entry.account == "default" else f" --account {held.entry.account}"
        again = "Sign in again" if held.method == "oauth" else "Put another key in its place"
        kind = "" if held.method == "oauth" else " --method api-key"
        return f"{again}: llm-orc auth add {held.entry.provider}{kind}{account}{where}"
    if held.found is not None:
        return f"Check the {held.source}{where}. To keep a key encrypted instead: llm-orc auth add {spec.name}"
    return f"The server wants a key: llm-orc auth add {spec.name}{where}"


class CredentialFinder:
    """Finds and applies credentials. What a person set up outranks what the environment happens to hold."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        storage: CredentialStorage,
        tokens: Tokens,
        *,
        ant: AntProfile,
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._environ = settings, environ
        self._storage, self._tokens, self._ant, self._clock = storage, tokens, ant, clock

    def has_sign_in(self, provider: str) -> bool:
        """Whether a sign-in at `provider` is kept, usable or not."""
        if not self._storage.state.is_usable:
            return False
        entry = self._storage.get(provider)
        return entry is not None and isinstance(entry.credential, OAuthToken)

    def find(self, spec: ProviderSpec, choice: ModelChoice, method: AuthMethodName | None = None) -> Held:
        """Return the credential for calls of `choice`: of the kind `method`, where that is given.

        Raises `NotLoggedIn` and other `AuthError`s.
        """
        if spec.credential == "none":
            return NOTHING
        if choice.api_key_env or choice.api_key_file:
            file = Path(choice.api_key_file) if choice.api_key_file else None
            return _of_key(find_api_key(self._environ, usual=(), variable=choice.api_key_env, file=file))
        if choice.base_url is not None and not _same_origin(choice.base_url, spec):
            return self._of_foreign_endpoint(spec, choice)
        own = self._settings.providers.get(spec.name)
        if own is not None and (own.api_key_env or own.api_key_file):
            return _of_key(find_api_key(self._environ, usual=(), variable=own.api_key_env, file=own.api_key_file))
        return self._of_what_is_there(spec) if method is None else self._of_kind(spec, method)

    def stored(self) -> tuple[Entry, ...]:
        """Return the active entries that can be used, what costs nothing extra first, what was just found last."""
        usable = []
        entries = self._storage.entries()
        if ANT_PROVIDER not in {entry.provider for entry in entries}:
            entries += self._ant.read().entries
        for entry in entries:
            if entry.is_active:
                with suppress(AuthError):
                    self._refuse_spent(entry)
                    usable.append(entry)
        return tuple(sorted(usable, key=lambda e: (e.source == "ant-profile", e.billing is Billing.METERED)))

    def authoriser(self, held: Held, spec: ProviderSpec, origin: str) -> Authoriser:
        """Return what puts the credential on requests to `origin`."""
        if (entry := held.entry or held.profile) is not None and entry.origin not in {None, origin}:
            raise AuthError(
                f"the {held.source} of `{spec.name}` belongs to `{entry.origin}` and is not sent to `{origin}`",
                hint=f"llm-orc auth add {spec.name}",
            )
        if held.profile is not None:
            return ProfileAuthoriser(self._ant, origin, self._clock)
        if held.entry is not None and isinstance(held.entry.credential, OAuthToken):
            own = self._settings.providers.get(spec.name)
            oauth = own.oauth if own else None
            client = oauth_client_of(spec.name, oauth) if oauth else OAuthClient(spec.name)
            keeper = self._tokens.keeper(held.entry, client)
            return OAuthAuthoriser(keeper, origin, oauth.headers if oauth else None)
        if held.entry is not None and isinstance(held.entry.credential, ApiKey):
            return ApiKeyHeader(origin, spec.key_header, held.entry.credential.key, spec.key_scheme)
        if held.found is not None:
            return ApiKeyHeader(origin, spec.key_header, held.found.secret, spec.key_scheme)
        return NoCredential(origin)

    def _of_what_is_there(self, spec: ProviderSpec) -> Held:
        in_environment = find_api_key(self._environ, usual=spec.api_key_env)
        entry = self._storage.get(spec.name)
        if entry is not None:
            return self._of_entry(entry, in_environment)
        if spec.name == ANT_PROVIDER and (held := self._of_profile(in_environment)) is not None:
            return held
        if in_environment is None and spec.credential == "required":
            raise self._missing(spec)
        return _of_key(in_environment)

    def _of_kind(self, spec: ProviderSpec, method: AuthMethodName) -> Held:
        """Only a sign-in will do, or only a key."""
        wanted = OAuthToken if method == "oauth" else ApiKey
        entries = [
            e for e in self._storage.entries() if e.provider == spec.name and isinstance(e.credential, wanted)
        ]
        in_environment = find_api_key(self._environ, usual=spec.api_key_env)
        if entries:
            return self._of_entry(next((e for e in entries if e.is_active), entries[0]), in_environment)
        if method == "oauth":
            if spec.name == ANT_PROVIDER and (held := self._of_profile(in_environment)) is not None:
                return held
            hint = f"llm-orc auth add {spec.name} --method oauth"
            raise NotLoggedIn(f"you are not signed in to `{spec.name}`", hint=hint, provider=spec.name)
        if in_environment is None:
            raise self._missing(spec)
        return _of_key(in_environment)

    def _of_entry(self, entry: Entry, in_environment: FoundKey | None) -> Held:
        is_oauth = isinstance(entry.credential, OAuthToken)
        source = f"{'sign-in' if is_oauth else 'stored API key'} (account `{entry.account}`)"
        notice = None
        if in_environment is not None:
            notice = f"The {in_environment.source} is not used: the {source} of `{entry.provider}` comes first."
        self._refuse_spent(entry)
        return Held("oauth" if is_oauth else "api-key", source, entry.billing, entry=entry, notice=notice)

    def _of_profile(self, in_environment: FoundKey | None) -> Held | None:
        """The profile of `ant auth login` is used where the user wants it, or where there is nothing else."""
        own = self._settings.providers.get(ANT_PROVIDER)
        is_wanted = own is not None and own.auth_methods[:1] == ("oauth",)
        if in_environment is not None and not is_wanted:
            return None
        entry = self._ant.entry
        if entry is None:
            if not is_wanted:
                return None
            said = self._ant.read().notices or (f"there is no profile `{self._ant.name}` of `{SIGN_IN}`",)
            raise NotLoggedIn(
                f"`providers.{ANT_PROVIDER}.auth_method` is `oauth`, but {said[0]}",
                hint=f"{SIGN_IN}, or set it to `api-key`",
            )
        self._refuse_spent(entry)
        source = f"sign-in of `{SIGN_IN}` (profile `{entry.account}`)"
        notice = None
        if in_environment is not None:
            notice = f"The {in_environment.source} is not used: `auth_method: oauth` puts the {source} first."
        return Held("oauth", source, entry.billing, profile=entry, notice=notice)

    def _refuse_spent(self, entry: Entry) -> None:
        """What can't work any more is said before anything is spent."""
        token = entry.credential
        if not isinstance(token, OAuthToken):
            return
        secret = token.refresh_token or token.access_token
        if entry.refused is not None and entry.refused.credential_hash == hash_of(secret):
            raise AccessRefused(
                f"`{entry.provider}` has refused this sign-in: {entry.refused.message}",
                hint="Use another access, such as `anthropic-api` with an API key.",
                signature=entry.refused.signature,
            )
        dead = entry.needs_login is not None and entry.needs_login.refresh_token_hash == hash_of(secret)
        if urgency(token, self._clock()) is Urgency.EXPIRED and (dead or token.refresh_token is None):
            hint = SIGN_IN if entry.source == "ant-profile" else f"llm-orc auth add {entry.provider}"
            raise CredentialExpired(f"the sign-in `{entry.provider}` has ended", hint=hint)

    def _of_foreign_endpoint(self, spec: ProviderSpec, choice: ModelChoice) -> Held:
        """A profile's own endpoint gets only a key that the profile itself names."""
        if spec.credential == "required":
            raise NotLoggedIn(
                f"profile `{choice.profile}` sends `{spec.name}` to `{choice.base_url}` and names no key",
                hint=f"Add `api_key_env: VARIABLE` or `api_key_file: PATH` to the profile `{choice.profile}`.",
            )
        return NOTHING

    def _missing(self, spec: ProviderSpec) -> NotLoggedIn:
        own = self._settings.providers.get(spec.name)
        if not spec.api_key_env and own is not None and own.oauth is not None:
            return NotLoggedIn(
                f"you are not signed in to `{spec.name}`",
                hint=f"llm-orc auth add {spec.name}",
                provider=spec.name,
            )
        where = f" (get a key at {spec.keys_at})" if spec.keys_at else ""
        return NotLoggedIn(
            f"there is no API key for `{spec.name}`",
            hint=f"llm-orc auth add {spec.name}, or set {' or '.join(spec.api_key_env) or 'its key'}{where}; see"
            " what else there is with `llm-orc setup`, or rehearse for nothing with `--rehearse`.",
            provider=spec.name,
        )


def _of_key(found: FoundKey | None) -> Held:
    return NOTHING if found is None else Held("api-key", found.source, found=found)


def _same_origin(base_url: str, spec: ProviderSpec) -> bool:
    return spec.base_url is not None and endpoint_of(spec, {}, base_url).origin == endpoint_of(spec, {}).origin
