"""Verify access: one real, minimal call, or one refresh; the outcome is remembered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.credentials import oauth_client_of, open_credentials, open_refusals, open_resolver
from llm_orc.app.access.finder import access_finder
from llm_orc.app.accounts.process_start import started_at
from llm_orc.auth.access import Access
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.sources.source import secrets_of
from llm_orc.auth.tokens.oauth import Tokens
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, NotLoggedIn, ReplyTimedOut
from llm_orc.net.http import Http
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.redact import masked_reply

if TYPE_CHECKING:
    from llm_orc.app.accounts.status import AuthStatus
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry

_QUESTION = "Answer with one word: yes."
_MOST_TOKENS = 16  # the smallest limit that every provider accepts
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Proof:
    """The provider accepted the credential, and `model` answered over `access` after `took_s`."""

    access: Access
    model: str
    took_s: float


async def try_access(app: App, provider: str, model: str | None = None, *, again: bool = True) -> Proof:
    """Ask a model of the provider (None: its default one) one short question, exactly as a run would.

    `again`: retry what was refused before. Raises what a run would: `AuthError`, `ProviderError`,
    `SettingsError`.
    """
    choice = ModelChoice(provider, model, named_by="user")
    if again:
        await asyncio.to_thread(_forget_refusals, app, choice)
    began = app.clock.monotonic()
    async with Http(app.settings.network, max_connections=2) as http, access_finder(app, http) as finder:
        ready, *_ = (await finder.find_all({provider: [choice]})).by_agent[provider]
        asked = ready.connection.build(ready, http, max_retries=1)
        request = ModelRequest((Message("user", _QUESTION),), max_tokens=_MOST_TOKENS)
        try:
            async with asyncio.timeout(_LIMIT_S):
                reply = await masked_reply(asked, request)
        except TimeoutError as e:
            raise ReplyTimedOut(
                f"`{provider}` gave no answer within {_LIMIT_S:.0f} s", hint=f"llm-orc auth status {provider}"
            ) from e
    await asyncio.to_thread(_remember, app, choice)
    return Proof(ready.access, reply.model, app.clock.monotonic() - began)


async def verify_access(app: App, status: AuthStatus) -> dict[str, str]:
    """Call every provider whose credential a run would use; return the failures as text, by provider."""
    providers = [credential.provider for credential in status.used() if credential.is_usable]
    outcomes = await asyncio.gather(*(_failure(app, provider) for provider in providers))
    return {provider: words for provider, words in zip(providers, outcomes, strict=True) if words}


async def refresh_access(app: App, provider: str, account: str | None = None) -> Entry:
    """Refresh a sign-in whatever its age. Raises `NotLoggedIn`, `CredentialExpired`, `ProviderError`."""
    storage = open_credentials(app)
    entry = await asyncio.to_thread(storage.get, provider, account)
    if entry is None:
        raise NotLoggedIn(f"you are not signed in to `{provider}`", hint=f"llm-orc auth add {provider}")
    own = app.settings.providers.get(provider)
    if isinstance(entry.credential, OAuthToken) and (own is None or own.oauth is None):
        raise NotLoggedIn(
            f"the configuration does not say where to refresh the sign-in `{provider}`",
            hint=f"Describe `providers.{provider}.oauth` in config.yaml, or: `llm-orc auth add {provider}`.",
        )
    if not isinstance(entry.credential, OAuthToken) or own is None or own.oauth is None:
        raise NotLoggedIn(
            f"`{provider}` (account `{entry.account}`) is an API key, which can't be refreshed",
            hint=f"llm-orc auth test {provider}",
        )
    client = oauth_client_of(provider, own.oauth)
    async with (
        Http(app.settings.network, max_connections=2) as http,
        Tokens(storage, http, app.clock.now, app.tell) as tokens,
    ):
        # Requests at the same time share one refresh, however long their processes took to start.
        await tokens.keeper(entry, client).refresh_now(asked_at=started_at())
    renewed = await asyncio.to_thread(storage.get, provider, entry.account)
    return renewed or entry


async def _failure(app: App, provider: str) -> str:
    try:
        await try_access(app, provider, again=False)
    except LlmOrcError as e:
        return e.message
    return ""


def _remember(app: App, choice: ModelChoice) -> None:
    """Store when a credential was last accepted; sources that are read in place remember nothing."""
    now = app.clock.now()
    for route in open_resolver(app).routes(choice):
        entry = route.found.entry if route.found is not None else None
        if route.is_used and entry is not None and entry.source == "own":
            open_credentials(app).update(entry.provider, entry.account, lambda e: replace(e, proven_at=now))


def _forget_refusals(app: App, choice: ModelChoice) -> None:
    """Forget the refusals of everything that a run would use otherwise."""
    refusals, storage = open_refusals(app), open_credentials(app)
    for route in open_resolver(app).routes(choice):
        if route.bar or route.found is None:
            continue
        for secret in secrets_of(route.found):
            refusals.forget(route.origin, secret)
        entry = route.found.entry
        if entry is not None and entry.source == "own" and (entry.refused or entry.needs_login):
            storage.update(entry.provider, entry.account, lambda e: replace(e, refused=None, needs_login=None))
