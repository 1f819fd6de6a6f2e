"""Open the sources of credentials, and turn a route into what adds its credential to requests."""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.access.resolver import Resolver
from llm_orc.auth.apply import ApiKeyHeader, Authoriser, NoCredential
from llm_orc.auth.credential import ApiKey, OAuthToken
from llm_orc.auth.oauth.client import Notice, OAuthClient
from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.sources.source import Places
from llm_orc.auth.standing import sign_in_again
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.ant_profile import AntProfile
from llm_orc.auth.stores.choose import choose_keys
from llm_orc.auth.stores.older import FernetStore
from llm_orc.auth.tokens.oauth import OAuthAuthoriser, Tokens
from llm_orc.auth.tokens.profile import ProfileAuthoriser
from llm_orc.catalog.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.app.access.route import Route
    from llm_orc.app.wiring import App
    from llm_orc.auth.stores.passphrase import AskPassphrase
    from llm_orc.auth.tokens.command_keeper import TokenCommands
    from llm_orc.net.transport import Transport
    from llm_orc.settings.model import OAuthSettings, Settings


def open_credentials(app: App, ask_passphrase: AskPassphrase | None = None) -> CredentialStorage:
    """Return the user's credential store; nothing is read yet. Stores of earlier releases are included.

    A passphrase comes from the file that `LLM_ORC_PASSPHRASE_FILE` names, or from `ask_passphrase`.
    """
    return _open(app, "credentials", older=older_stores(app), ask_passphrase=ask_passphrase)


def open_put_away(app: App) -> CredentialStorage:
    """Return the store of what `auth migrate --remove-old` removed from files: to be restored, not used."""
    return _open(app, "migrated")


def older_stores(app: App) -> tuple[FernetStore, ...]:
    """Return the stores of earlier releases, newer first."""
    return FernetStore(app.paths.config), FernetStore(app.environment.home / ".llm-orc")


def _open(
    app: App, name: str, *, older: tuple[FernetStore, ...] = (), ask_passphrase: AskPassphrase | None = None
) -> CredentialStorage:
    folder, environ = app.paths.config, app.environment.environ
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
        locks=app.paths.state / "sign-ins",
    )


def open_ant_profile(app: App) -> AntProfile:
    """Return the sign-in of Anthropic's own tool. It is not part of the store: it is found, not set up here."""
    around = app.environment
    return AntProfile(around.environ, around.platform, around.home)


def oauth_client_of(provider: str, oauth: OAuthSettings) -> OAuthClient:
    """Return a provider's OAuth settings as the room `auth` needs them."""
    notice = oauth.notice
    return OAuthClient(
        provider=provider,
        client_id=oauth.client_id,
        issuer=oauth.issuer,
        authorization_endpoint=oauth.authorization_endpoint,
        token_endpoint=oauth.token_endpoint,
        revocation_endpoint=oauth.revocation_endpoint,
        device_authorization_endpoint=oauth.device_authorization_endpoint,
        jwks_uri=oauth.jwks_uri,
        registers_client=oauth.client_registration == "at-sign-in",
        registration_params=oauth.registration_params,
        host_id_param=oauth.host_id_param,
        resource=oauth.resource,
        requires_id_token=oauth.requires_id_token,
        scopes=oauth.scopes,
        redirect=oauth.redirect,
        redirect_uri=oauth.redirect_uri,
        token_request=oauth.token_request,
        extra_authorize_params=oauth.extra_authorize_params,
        extra_token_params=oauth.extra_token_params,
        state_in_token_request=oauth.state_in_token_request,
        revokes_access_token=oauth.revokes_access_token,
        notice=Notice(notice.text, notice.link or "", notice.date or "") if notice else None,
    )


def open_places(app: App) -> Places:
    """Return all sources of credentials; nothing is read yet."""
    return Places(
        app.environment.environ, open_credentials(app), open_ant_profile(app), open_refusals(app), app.clock.now
    )


def open_refusals(app: App) -> RefusalMemory:
    """Return the record of refused credentials."""
    return RefusalMemory(app.paths.state / "refusals.json", app.clock.now)


def open_resolver(app: App) -> Resolver:
    """Return the resolver of routes; it needs no network."""
    return Resolver(app.settings.providers, open_places(app), is_attended=app.environment.is_attended)


@asynccontextmanager
async def open_authorisers(app: App, http: Transport) -> AsyncIterator[Authorisers]:
    """The credentials of one process; on exit, it waits for token exchanges in progress."""
    places = open_places(app)
    async with Tokens(places.storage, http, app.clock.now) as tokens, AsyncExitStack() as stack:
        resolver = Resolver(app.settings.providers, places, is_attended=app.environment.is_attended)
        yield Authorisers(app.settings, places, resolver, tokens, stack)


class Authorisers:
    """Turns a route over HTTP into what adds its credential to requests. `resolver` finds the routes."""

    def __init__(
        self, settings: Settings, places: Places, resolver: Resolver, tokens: Tokens, stack: AsyncExitStack
    ) -> None:
        self.resolver = resolver
        self._settings, self._places, self._tokens, self._stack = settings, places, tokens, stack
        self._commands: TokenCommands | None = None

    def of(self, route: Route, origin: str) -> Authoriser:
        """Return what adds the credential to requests to `origin`."""
        found, refusals = route.found, self._places.refusals
        if found is None:
            return NoCredential(origin)
        if found.command:
            return self._of_command(route, found.command, origin)
        if found.place == "profile":
            return ProfileAuthoriser(self._places.ant, origin, self._places.clock, refusals)
        if found.entry is not None and isinstance(found.entry.credential, OAuthToken):
            oauth = self._oauth(route)
            client = oauth_client_of(route.spec.name, oauth) if oauth else OAuthClient(route.spec.name)
            keeper = self._tokens.keeper(found.entry, client)
            return OAuthAuthoriser(keeper, origin, oauth.headers if oauth else None, refusals)
        key = found.key.secret if found.key is not None else None
        if found.entry is not None and isinstance(found.entry.credential, ApiKey):
            key = found.entry.credential.key
        assert key is not None  # a usable route contains what it sends
        dialect = DIALECTS[route.spec.dialect]
        return ApiKeyHeader(origin, dialect.key_header, key, dialect.key_scheme, refusals)

    def _of_command(self, route: Route, argv: tuple[str, ...], origin: str) -> Authoriser:
        from llm_orc.auth.tokens.command_keeper import (  # noqa: PLC0415 - for those who use one
            CommandAuthoriser,
            TokenCommands,
        )

        if self._commands is None:
            self._commands = TokenCommands(self._places.environ, self._places.clock)
            self._stack.push_async_callback(self._commands.close)
        keeper = self._commands.keeper(argv, origin)
        own = self._settings.providers.get(route.spec.name)
        if own is not None and own.token_as == "api-key":  # noqa: S105 - how it is sent
            dialect = DIALECTS[route.spec.dialect]
            return CommandAuthoriser(keeper, dialect.key_header, dialect.key_scheme)
        return CommandAuthoriser(keeper)

    def required_system_prompt(self, route: Route) -> str | None:
        """Return the system prompt that a sign-in of this provider requires."""
        is_stored = route.found is not None and route.found.place != "profile"
        oauth = self._oauth(route) if route.method == "oauth" and is_stored else None
        return oauth.required_system_prompt if oauth else None

    def _oauth(self, route: Route) -> OAuthSettings | None:
        own = self._settings.providers.get(route.spec.name)
        return own.oauth if own else None


def in_words(route: Route) -> str:
    """Name the credential and its source, to fit into "the … was refused"."""
    if route.found is None:
        return "call without a credential"
    if route.found.command:
        return f"token of the {route.label}"
    return f"API key of the {route.label}" if route.found.key is not None else route.label


def what_to_do(route: Route) -> str:
    """Return the hint for a refused credential. A refused sign-in never leads to a key."""
    spec, found = route.spec, route.found
    where = f"; keys are at {spec.keys_at}" if spec.keys_at else ""
    if found is None:
        return f"The server requires a key: `llm-orc auth add {spec.name}`{where}."
    if found.command:
        return f"Run it by hand, and check what it writes: `{shlex.join(found.command)}`."
    if found.key is not None:
        return f"Check the {route.label}{where}. To keep a key encrypted instead: llm-orc auth add {spec.name}"
    assert found.entry is not None  # a usable route contains what it sends
    if route.method == "oauth":
        return f"Sign in again: `{sign_in_again(found.entry)}`."
    account = "" if found.entry.account == "default" else f" --account {found.entry.account}"
    return f"Replace the key: `llm-orc auth add {spec.name} --method api-key{account}`{where}."
