"""Prove that access works: one real, minimal call, or one renewal, and what came of it is remembered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.auth_status import auth_status
from llm_orc.app.credentials import oauth_client_of, open_credentials
from llm_orc.app.find_access import access_finder
from llm_orc.auth.access import Access
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.tokens import Tokens
from llm_orc.errors import LlmOrcError, NotLoggedIn
from llm_orc.net.http import Http
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.redact import masked_reply

if TYPE_CHECKING:
    from llm_orc.app.auth_status import AuthStatus
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry

_QUESTION = "Answer with one word: yes."
_MOST_TOKENS = 16  # the fewest that every provider takes
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Proof:
    """The provider took the credential and `model` answered, over `access`, after `took_s`."""

    access: Access
    model: str
    took_s: float


async def try_access(app: App, provider: str, model: str | None = None) -> Proof:
    """Ask a model of the provider (None: its default one) one short question, exactly as a run would.

    Raises what a run would: `AuthError`, `ProviderError`, `SettingsError`.
    """
    choice = ModelChoice(provider, model, named_by="user")
    began = app.clock.monotonic()
    async with Http(app.settings.network, max_connections=2) as http, access_finder(app, http) as finder:
        ready, *_ = (await finder.find_all({provider: [choice]})).by_agent[provider]
        asked = ready.connection.build(ready, http, max_retries=1)
        request = ModelRequest((Message("user", _QUESTION),), max_tokens=_MOST_TOKENS)
        async with asyncio.timeout(_LIMIT_S):
            reply = await masked_reply(asked, request)
    await asyncio.to_thread(_remember, app, provider)
    return Proof(ready.access, reply.model, app.clock.monotonic() - began)


async def verify_access(app: App, status: AuthStatus) -> dict[str, str]:
    """Try every provider whose credential a run would use; return what went wrong, in words, by provider."""
    providers = [credential.provider for credential in status.used() if credential.is_usable]
    outcomes = await asyncio.gather(*(_failure(app, provider) for provider in providers))
    return {provider: words for provider, words in zip(providers, outcomes, strict=True) if words}


async def refresh_access(app: App, provider: str, account: str | None = None) -> Entry:
    """Renew a sign-in whatever its age. Raises `NotLoggedIn`, `CredentialExpired`, `ProviderError`."""
    storage = open_credentials(app)
    entry = await asyncio.to_thread(storage.get, provider, account)
    if entry is None:
        raise NotLoggedIn(f"you are not signed in to `{provider}`", hint=f"llm-orc auth add {provider}")
    own = app.settings.providers.get(provider)
    if not isinstance(entry.credential, OAuthToken) or own is None or own.oauth is None:
        raise NotLoggedIn(
            f"`{provider}` (account `{entry.account}`) is an API key: it has nothing to renew",
            hint=f"llm-orc auth test {provider}",
        )
    client = oauth_client_of(provider, own.oauth)
    async with (
        Http(app.settings.network, max_connections=2) as http,
        Tokens(storage, http, app.clock.now) as tokens,
    ):
        await tokens.keeper(entry, client).refresh_now()
    renewed = await asyncio.to_thread(storage.get, provider, entry.account)
    return renewed or entry


async def _failure(app: App, provider: str) -> str:
    try:
        await try_access(app, provider)
    except LlmOrcError as e:
        return e.message
    except TimeoutError:
        return f"no answer within {_LIMIT_S:.0f} s"
    return ""


def _remember(app: App, provider: str) -> None:
    """Keep when a stored credential of ours was last taken; what is read where it stands remembers nothing."""
    now = app.clock.now()
    for used in auth_status(app, provider).used():
        if used.place == "store" and used.is_own:
            open_credentials(app).update(provider, used.account, lambda entry: replace(entry, proven_at=now))
