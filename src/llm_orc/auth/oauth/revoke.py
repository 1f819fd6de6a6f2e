"""Token revocation (RFC 7009): ask the server to revoke, and report truthfully whether it did."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from llm_orc.auth.oauth.endpoint import Params, checked, json_object, post, retry_after_s, server_error, shown
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.secret import Secret
    from llm_orc.net.transport import Answer, Transport

LIMIT_S = 15.0
_RETRY_S = 60.0  # if a 503 does not say when

TokenKind = Literal["refresh_token", "access_token"]


@dataclass(frozen=True, slots=True)
class Revocation:
    """`is_confirmed` False: the tokens may still work at the server; `reason` says why that is unknown."""

    is_confirmed: bool
    reason: str = ""
    retry_after_s: float | None = None  # 503: the token still exists, try again then (§2.2.1)


async def revoke(
    client: OAuthClient,
    transport: Transport,
    *,
    refresh_token: Secret | None,
    access_token: Secret,
    clock: Callable[[], float] = time.time,
) -> Revocation:
    """Revoke the refresh token first, then the access token if the server wants both (§2.1).

    Never raises because of the server.
    """
    if client.revocation_endpoint is None:
        return Revocation(is_confirmed=False, reason="the provider offers no revocation")
    try:
        url = checked(client.revocation_endpoint, "revocation_endpoint", client.provider)
    except LoginFailed as e:
        return Revocation(is_confirmed=False, reason=e.message)

    async def revoke_one(token: Secret, kind: TokenKind) -> Revocation | None:
        params: dict[str, str | Secret] = {"token": token, "token_type_hint": kind}
        if client.client_id:
            params["client_id"] = client.client_id
        try:
            answer = await post(transport, url, params, limit_s=LIMIT_S)
        except TransportError as e:
            return Revocation(is_confirmed=False, reason=f"the server gave no answer: {shown(e.reason, params)}")
        return _read(answer, params, clock())

    if refresh_token is not None:
        first = await revoke_one(refresh_token, "refresh_token")
        if first is None or not first.is_confirmed:
            return first or Revocation(is_confirmed=False, reason="the server does not revoke refresh tokens")
        if not client.revokes_access_token:
            return first
    second = await revoke_one(access_token, "access_token")
    if second is not None:
        return second
    # Access tokens that can't be revoked expire by themselves; without the refresh token there is no new one.
    return Revocation(is_confirmed=refresh_token is not None, reason="the server does not revoke access tokens")


def _read(answer: Answer, params: Params, now: float) -> Revocation | None:
    """Read the answer; None: the server does not revoke this kind of token (`unsupported_token_type`)."""
    if answer.status == 200:  # also for a token that the server does not know (§2.2)
        return Revocation(is_confirmed=True)
    said = server_error(json_object(answer), params)
    if said is not None and said.error == "unsupported_token_type":
        return None
    reason = f"the server answered {said or 'no OAuth error'} (status {answer.status})"
    if answer.status == 503:
        return Revocation(False, reason, retry_after_s(answer.headers, now) or _RETRY_S)
    return Revocation(is_confirmed=False, reason=reason)
