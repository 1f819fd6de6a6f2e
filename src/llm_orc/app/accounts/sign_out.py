"""End access: revoke at the provider where it can be (RFC 7009), and always forget it here."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from llm_orc.app.access.credentials import oauth_client_of, open_credentials
from llm_orc.app.accounts.official_cli import logout_command
from llm_orc.auth.credential import Entry, OAuthToken
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.revoke import Revocation, revoke
from llm_orc.catalog.table import PROVIDERS
from llm_orc.errors import CredentialStoreError, LlmOrcError, NotLoggedIn
from llm_orc.net.http import Http

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.storage import CredentialStorage

_LOCK_WAIT_S = 10.0  # for a renewal that is under way, so that what it brings is revoked too

AtProvider = Literal["revoked", "not-confirmed", "key-remains"]


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What was deleted here, and what that means at the provider: `reason` is why more can't be said.

    `key-remains`: an API key can only be ended by its owner, on the provider's own page.
    """

    entry: Entry
    at_provider: AtProvider
    reason: str = ""


async def log_out(app: App, provider: str, account: str | None = None) -> SignedOut:
    """Whatever the network does, the credential is deleted here. Raises `NotLoggedIn`, `CredentialStoreError`."""
    storage = open_credentials(app)
    entry = await asyncio.to_thread(_existing, storage, provider, account)
    with ExitStack() as held:
        try:
            lock = storage.refresh_lock(provider, entry.account, wait_s=_LOCK_WAIT_S)
            await asyncio.to_thread(held.enter_context, lock)
        except CredentialStoreError:
            pass  # whoever hangs in a renewal must not keep its user from signing out
        entry = await asyncio.to_thread(_existing, storage, provider, entry.account)
        try:
            revocation = await _revoke(app, entry)
        finally:
            storage.remove(provider, entry.account)
    if revocation is None:
        return SignedOut(entry, "key-remains")
    return SignedOut(entry, "revoked" if revocation.is_confirmed else "not-confirmed", revocation.reason)


def remove(app: App, provider: str, account: str | None = None) -> Entry | None:
    """Forget it here and tell nobody. None where there was only an entry that could not be read.

    Raises `NotLoggedIn`, `CredentialStoreError`.
    """
    storage = open_credentials(app)
    try:
        _existing(storage, provider, account)
    except CredentialStoreError as e:
        if e.state != "corrupt":  # a damaged entry can still be removed
            raise
    return storage.remove(provider, account)


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


def _existing(storage: CredentialStorage, provider: str, account: str | None) -> Entry:
    entry = storage.get(provider, account)
    if entry is None:
        raise _nothing(provider, account)
    return entry


def _nothing(provider: str, account: str | None) -> NotLoggedIn:
    spec = PROVIDERS.get(provider)
    if account is None and spec is not None and spec.cli is not None:
        command = logout_command(spec.cli)
        return NotLoggedIn(
            f"nothing is stored for `{provider}`; the login of `{command[0]}` is that program's own",
            hint=" ".join(command),
        )
    which = f"`{provider}`" if account is None else f"`{provider}` with the account `{account}`"
    return NotLoggedIn(f"there is no stored credential for {which}", hint="llm-orc auth list")


async def _revoke(app: App, entry: Entry) -> Revocation | None:
    """None: nothing that a server could revoke."""
    token = entry.credential
    if not isinstance(token, OAuthToken):
        return None
    own = app.settings.providers.get(entry.provider)
    if own is None or own.oauth is None:
        return Revocation(is_confirmed=False, reason="the configuration does not say where one signs in any more")
    client = replace_client_id(oauth_client_of(entry.provider, own.oauth), token.client_id)
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


def replace_client_id(client: OAuthClient, client_id: str | None) -> OAuthClient:
    """A token belongs to the client that got it, whatever the configuration says today."""
    return client if client_id is None else replace(client, client_id=client_id)
