"""End access: revoke it at the provider if possible (RFC 7009), and always delete it here."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from llm_orc.app.access.credentials import oauth_client_of, open_credentials
from llm_orc.app.accounts.official_cli import cli_of, logout_command
from llm_orc.app.accounts.registration import open_registrations
from llm_orc.app.accounts.tool_servers import client_of_entry
from llm_orc.auth.credential import DEFAULT_ACCOUNT, Entry, OAuthToken, server_of
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.revoke import Revocation, revoke
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialStoreError, LlmOrcError, NotLoggedIn
from llm_orc.net.http import Http

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.storage import CredentialStorage

_LOCK_WAIT_S = 10.0  # time for a refresh in progress, so that its new token is revoked too

AtProvider = Literal["revoked", "not-confirmed", "key-remains"]


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What was deleted here, and the effect at the provider: `reason` says why it is unknown.

    `key-remains`: only its owner can revoke an API key, on the provider's page.
    """

    entry: Entry
    at_provider: AtProvider
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted here: `entry` None: only what could not be read, or only a client of an account.

    `forgot_client`: the account's next sign-in registers another client at the provider.
    """

    entry: Entry | None
    forgot_client: bool = False


async def log_out(app: App, provider: str, account: str | None = None) -> SignedOut:
    """Delete the credential here in any case, and revoke it if possible. A client that it registered is kept.

    Raises `NotLoggedIn`, `CredentialStoreError`.
    """
    storage = open_credentials(app)
    entry = await asyncio.to_thread(_existing, app, storage, provider, account)
    with ExitStack() as held:
        try:
            lock = storage.refresh_lock(provider, entry.account, wait_s=_LOCK_WAIT_S)
            await asyncio.to_thread(held.enter_context, lock)
        except CredentialStoreError:
            pass  # a refresh that hangs must not keep the user from signing out
        entry = await asyncio.to_thread(_existing, app, storage, provider, entry.account)
        try:
            revocation = await _revoke(app, entry)
        finally:
            storage.remove(provider, entry.account)
    if revocation is None:
        return SignedOut(entry, "key-remains")
    return SignedOut(entry, "revoked" if revocation.is_confirmed else "not-confirmed", revocation.reason)


def remove(app: App, provider: str, account: str | None = None) -> Removed:
    """Delete it here, with the client that it registered, without telling the provider.

    Raises `NotLoggedIn`, `CredentialStoreError`.
    """
    storage, registrations = open_credentials(app), open_registrations(app)
    try:
        _existing(app, storage, provider, account)
    except NotLoggedIn:
        if registrations.forget(provider, account or DEFAULT_ACCOUNT):  # what a logout has left
            return Removed(None, forgot_client=True)
        raise
    except CredentialStoreError as e:
        if e.state != "corrupt":  # a damaged entry can still be removed
            raise
    entry = storage.remove(provider, account)
    gone = entry.account if entry is not None else account or DEFAULT_ACCOUNT
    return Removed(entry, registrations.forget(provider, gone))


def switch(app: App, provider: str, account: str) -> Entry:
    """Make one of a provider's accounts the one that runs use. Raises `NotLoggedIn`."""
    storage = open_credentials(app)
    accounts = [entry.account for entry in storage.entries() if entry.provider == provider]
    if account not in accounts:
        has = f"it has {', '.join(f'`{name}`' for name in accounts)}" if accounts else "it has none"
        raise NotLoggedIn(
            f"`{provider}` has no stored account `{account}`; {has}",
            hint=f"llm-orc auth add {provider} --account {account}",
        )
    return storage.activate(provider, account)


def _existing(app: App, storage: CredentialStorage, provider: str, account: str | None) -> Entry:
    entry = storage.get(provider, account)
    if entry is None:
        raise _nothing(app, provider, account)
    return entry


def _nothing(app: App, provider: str, account: str | None) -> NotLoggedIn:
    cli = cli_of(app, provider)
    command = () if cli is None else logout_command(app, cli)
    if account is None and command:
        return NotLoggedIn(
            f"nothing is stored for `{provider}`; the login of `{command[0]}` belongs to that program",
            hint=" ".join(command),
        )
    which = f"`{provider}`" if account is None else f"`{provider}` with the account `{account}`"
    return NotLoggedIn(f"there is no stored credential for {which}", hint="llm-orc auth list")


async def _revoke(app: App, entry: Entry) -> Revocation | None:
    """Revoke the tokens; None: there is nothing that a server could revoke."""
    token = entry.credential
    if not isinstance(token, OAuthToken):
        return None
    client = _client_of(app, entry)
    if client is None:
        return Revocation(is_confirmed=False, reason="the configuration no longer says where to sign in")
    client = replace_client_id(client, token.client_id)
    try:
        async with Http(app.settings.network, max_connections=2) as http:
            return await revoke(
                await resolve(client, http),
                http,
                refresh_token=token.refresh_token,
                access_token=token.access_token,
                clock=app.clock.now,
            )
    except LlmOrcError as e:
        return Revocation(is_confirmed=False, reason=e.message)


def _client_of(app: App, entry: Entry) -> OAuthClient | None:
    if server_of(entry.provider) is not None:
        return client_of_entry(app, entry)
    own = app.settings.providers.get(entry.provider)
    return None if own is None or own.oauth is None else oauth_client_of(entry.provider, own.oauth)


def replace_client_id(client: OAuthClient, client_id: str | None) -> OAuthClient:
    """Use the client that got the token, whatever the configuration says now."""
    return client if client_id is None else replace(client, client_id=client_id)
