"""OpenRouter's sign-in: PKCE as in OAuth, but without client id and `state`, and the result is an API key.

https://openrouter.ai/docs/guides/overview/auth/oauth.md
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from llm_orc.auth.methods.api_key import checked_key
from llm_orc.auth.methods.base import login_with_key
from llm_orc.auth.methods.browser_visit import BrowserVisit, VisitOptions
from llm_orc.auth.methods.retry_exchange import retry_exchange
from llm_orc.auth.methods.spend_cap import SpendCap, told_cap
from llm_orc.auth.oauth.authorize import NotOurs, with_query
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.endpoint import Params, checked, json_object, post, shown
from llm_orc.auth.oauth.pkce import base64url, new_pkce
from llm_orc.auth.oauth.token_endpoint import LIMIT_S, Failure, TokenEndpointError, failure_of, lost
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import KeyMalformed, LoginFailed
from llm_orc.net.transport import Transport, TransportError

if TYPE_CHECKING:
    from llm_orc.auth.credential import ApiKey
    from llm_orc.auth.methods.base import Ask, Login
    from llm_orc.net.transport import Answer

_NONCE_BYTES = 16
_LONGEST_RESPONSE = 8192


@dataclass(frozen=True, slots=True)
class OpenRouterCode:
    code: Secret
    verifier: Secret


@dataclass(frozen=True, slots=True)
class OpenRouterLogin:
    """`client` has the addresses: `authorization_endpoint` for the page, `token_endpoint` for the key.

    `cap` is asked for on the page; whether the key has it is then asked at `key_url`.
    """

    client: OAuthClient
    transport: Transport
    options: VisitOptions
    cap: SpendCap | None = None
    key_url: str = ""
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random_bytes: Callable[[int], bytes] = secrets.token_bytes

    async def log_in(self, ask: Ask) -> Login:
        params = {**self.client.extra_authorize_params, **(self.cap.params if self.cap is not None else {})}
        client = replace(self.client, extra_authorize_params=params)

        async def redeem(found: OpenRouterCode) -> Login:
            key = await retry_exchange(lambda: self._exchange(found), ask, clock=self.clock, sleep=self.sleep)
            return replace(login_with_key(key), spend_cap=await self._cap_of(key))

        visit = BrowserVisit(
            options=self.options,
            begin=lambda redirect_uri: OpenRouterAttempt(client, redirect_uri, self.random_bytes),
            redeem=redeem,
            # Nothing else in the answer proves that it belongs to this sign-in.
            path=f"/callback/{base64url(self.random_bytes(_NONCE_BYTES))}",
        )
        return await visit.make(ask)

    async def _cap_of(self, key: ApiKey) -> str:
        """Return the cap that the key has, in words. Raises `LoginFailed` if it has none and one was asked for."""
        if self.cap is None:
            return ""
        told = await told_cap(self.transport, self.key_url, key)
        if told is None:
            return f"{self.cap.words}, as asked for; the provider did not confirm it"
        if told.limit_usd is None and self.cap.limit_usd is not None:
            raise LoginFailed(
                f"the key that `{self.client.provider}` made has no spend cap, although one was asked for; it was"
                " not stored",
                hint="Delete it on the provider's page of keys. Then sign in again and leave the cap in place,"
                " or sign in without `--limit`.",
                error="no_cap",
            )
        is_endless = self.cap.expires_at is not None and told.expires_at is None
        return f"{told.words}; it has no end, although one was asked for" if is_endless else told.words

    async def _exchange(self, found: OpenRouterCode) -> ApiKey:
        provider = self.client.provider
        url = checked(self.client.token_endpoint, "token_endpoint", provider)
        params: Params = {"code": found.code, "code_verifier": found.verifier, "code_challenge_method": "S256"}
        try:
            answer = await post(self.transport, url, params, encoding="json", limit_s=LIMIT_S)
        except TransportError as e:
            raise lost(provider, e, params) from None
        return _key(answer, params, provider, self.clock())


class OpenRouterAttempt:
    """One sign-in; the nonce in the path of `redirect_uri` ties the answer to it."""

    def __init__(
        self,
        client: OAuthClient,
        redirect_uri: str,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._provider = client.provider
        self._path = urlsplit(redirect_uri).path
        self._pkce = new_pkce(random_bytes)
        self.url = with_query(
            checked(client.authorization_endpoint, "authorization_endpoint", client.provider),
            {
                **client.extra_authorize_params,
                "callback_url": redirect_uri,
                "code_challenge": self._pkce.challenge,
                "code_challenge_method": "S256",
            },
        )

    def accept_query(self, query: str) -> OpenRouterCode:
        """The listener has already compared the path with its nonce."""
        if len(query) > _LONGEST_RESPONSE:
            raise self._not_ours()
        fields = parse_qs(query)
        if error := fields.get("error"):
            raise LoginFailed(
                f"`{self._provider}` did not sign you in: `{shown(error[0], {})}`",
                hint="Sign in again.",
                error=shown(error[0], {}),
            )
        codes = fields.get("code", [])
        if len(codes) != 1:
            raise self._not_ours()
        return OpenRouterCode(Secret(codes[0]), self._pkce.verifier)

    def accept_pasted(self, text: str) -> OpenRouterCode:
        text = "".join(text.split())
        if not text or len(text) > _LONGEST_RESPONSE:
            raise self._not_ours()
        if "://" not in text:
            return OpenRouterCode(Secret(text), self._pkce.verifier)
        try:
            parts = urlsplit(text)
        except ValueError:
            raise self._not_ours() from None
        if not secrets.compare_digest(parts.path.encode(), self._path.encode()):
            raise self._not_ours()
        return self.accept_query(parts.query)

    def _not_ours(self) -> NotOurs:
        return NotOurs(
            f"the answer for `{self._provider}` does not belong to this sign-in and was ignored",
            hint="Use the page that this sign-in opened.",
            error="state_mismatch",
        )


def _key(answer: Answer, sent: Params, provider: str, now: float) -> ApiKey:
    body = json_object(answer)
    key = body.get("key") if body is not None and 200 <= answer.status < 300 else None
    if isinstance(key, str):
        try:
            return checked_key(Secret(key), f"the key from `{provider}`")
        except KeyMalformed as e:
            raise LoginFailed(f"{e.message}", hint="Sign in again.", error="bad_key") from None
    if answer.status == 403:
        raise TokenEndpointError(
            f"`{provider}` did not accept the code (status 403): it is used, expired, or of another sign-in",
            failure=Failure.PERMANENT,
            error="invalid_grant",
            status=403,
        )
    raise failure_of(answer, sent, provider=provider, now=now)
