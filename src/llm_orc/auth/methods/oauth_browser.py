"""Sign in through the browser: authorisation code with PKCE (RFC 8252), by callback or paste."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_orc.auth.methods.base import login_with_token
from llm_orc.auth.methods.browser_visit import BrowserVisit, VisitOptions
from llm_orc.auth.methods.retry_exchange import retry_exchange
from llm_orc.auth.oauth.addresses import LOOPBACK_HOSTS, problem_of
from llm_orc.auth.oauth.authorize import AuthorizationAttempt
from llm_orc.auth.oauth.client import OAuthClient, SignInRequest
from llm_orc.auth.oauth.id_token import identity_of
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.token_endpoint import exchange_code
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed
from llm_orc.net.transport import Transport

if TYPE_CHECKING:
    from llm_orc.auth.methods.base import Ask, Login
    from llm_orc.auth.oauth.authorize import AuthorizationCode
    from llm_orc.auth.oauth.id_token import Identity
    from llm_orc.auth.oauth.token_endpoint import TokenResponse


@dataclass(frozen=True, slots=True)
class BrowserLogin:
    """One sign-in through the browser at an OAuth server.

    `keep_client` is called with the id of a client that the sign-in has registered, before its code is redeemed:
    if the rest fails, the next attempt does not register another one. It may block for a moment.
    """

    client: OAuthClient
    transport: Transport
    options: VisitOptions
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    request: SignInRequest = SignInRequest()
    keep_client: Callable[[str], None] = lambda _client_id: None

    async def log_in(self, ask: Ask) -> Login:
        client = await resolve(self.client, self.transport)
        if problem := _redirect_problem(client):
            raise LoginFailed(
                f"the `redirect_uri` of provider `{client.provider}` can't be used: {problem}",
                hint=f"Set `providers.{client.provider}.oauth.redirect_uri`, as the client is registered.",
                error="not_configured",
            )

        visit = BrowserVisit(
            options=self.options,
            begin=lambda redirect_uri: AuthorizationAttempt(client, redirect_uri, self.random_bytes, self.request),
            redeem=lambda code: self._redeem(client, code, ask),
            redirect_uri=client.redirect_uri,
            is_hosted=client.redirect == "paste",
        )
        return await visit.make(ask)

    async def _redeem(self, client: OAuthClient, code: AuthorizationCode, ask: Ask) -> Login:
        if client.registers_client and self.request.account is None:
            await asyncio.to_thread(self.keep_client, code.client_id)
        client = replace(client, client_id=code.client_id)

        def exchange() -> Awaitable[TokenResponse]:
            return exchange_code(
                client,
                self.transport,
                code.code,
                code.verifier,
                code.redirect_uri,
                state=code.state,
                clock=self.clock,
            )

        token = await retry_exchange(exchange, ask, clock=self.clock, sleep=self.sleep)
        if not client.requires_id_token:
            return login_with_token(client, token)
        identity = await identity_of(client, self.transport, token, code.nonce)
        self._check_account(client.provider, identity)
        return login_with_token(client, token, identity)

    def _check_account(self, provider: str, identity: Identity) -> None:
        """Raise `LoginFailed` if another account than before signed in: none replaces another unnoticed."""
        known = self.request.account
        if known is not None and known.subject and known.subject != identity.subject:
            raise LoginFailed(
                f"another account of provider `{provider}` signed in than before"
                + (f": `{identity.name}`" if identity.name else ""),
                hint=f"Keep it beside the other one: `llm-orc auth add {provider} --account NAME`. To replace that"
                f" one: `llm-orc auth remove {provider}`.",
                error="account_changed",
            )


def _redirect_problem(client: OAuthClient) -> str:
    uri = client.redirect_uri
    match client.redirect:
        case "paste":
            return problem_of(uri) if uri else "with `redirect: paste` it must name the page that shows the code"
        case "loopback" if uri:
            parts = urlsplit(uri)
            is_here = parts.scheme == "http" and parts.hostname in {*LOOPBACK_HOSTS, "localhost"}
            return "" if is_here else "with `redirect: loopback` it must be like `http://127.0.0.1/callback`"
        case _:
            return ""
