"""The token endpoint (RFC 6749 §4.1.3, §5, §6): a code or a refresh token in, tokens or a classified error out."""

from __future__ import annotations

import math
import re
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from llm_orc.auth.oauth.endpoint import (
    Params,
    ServerError,
    checked,
    date_skew_s,
    is_token,
    json_object,
    post,
    retry_after_s,
    server_error,
    shown,
)
from llm_orc.auth.oauth.refresh_time import earliest_refresh_at
from llm_orc.auth.secret import Secret, remember
from llm_orc.dataclass import dataclass
from llm_orc.errors import AuthError, LoginFailed
from llm_orc.net.transport import TransportError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.net.transport import Answer, Transport

LIMIT_S = 60.0  # for one whole exchange
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST_SCOPES = 100
_LONGEST_LIFETIME_S = 10 * 365 * 86_400.0

# Each means that the refresh token is invalid. All but the first are names that OpenAI's servers use.
_TOKEN_IS_DEAD = frozenset(
    {
        "invalid_grant",
        "invalid_refresh_token",
        "refresh_token_expired",
        "refresh_token_invalidated",
        "refresh_token_reused",
        "token_expired",
    }
)
_SERVER_IS_BUSY = frozenset({"temporarily_unavailable", "server_error", "slow_down", "rate_limit_error"})
_NOT_SENT = frozenset({Trouble.NOT_SENT, Trouble.CERTIFICATE, Trouble.INVALID})


class Failure(StrEnum):
    """What an answer without tokens means for the grant that was sent."""

    PERMANENT = "permanent"  # this code or refresh token is invalid; another one may be valid
    REJECTED = "rejected"  # the request is wrong (client id, scope, …): a retry won't help; the token is unharmed
    TRANSIENT = "transient"  # the token is not at fault: nothing was sent, or something in between answered
    COOLDOWN = "cooldown"  # 429, 5xx: all processes leave the endpoint alone for a while
    AMBIGUOUS = "ambiguous"  # sent, and the answer was lost: the token may be used up


class TokenEndpointError(AuthError):
    """No tokens. `error` is the OAuth error code (empty: none came), `status` the HTTP status (0: none came)."""

    def __init__(
        self,
        message: str,
        *,
        failure: Failure,
        error: str = "",
        status: int = 0,
        was_sent: bool = True,
        retry_after_s: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.failure = failure
        self.error = error
        self.status = status
        self.was_sent = was_sent
        self.retry_after_s = retry_after_s

    @property
    def is_permanent(self) -> bool:
        return self.failure is Failure.PERMANENT

    @property
    def is_ambiguous(self) -> bool:
        return self.failure is Failure.AMBIGUOUS

    @property
    def is_cooldown(self) -> bool:
        return self.failure is Failure.COOLDOWN


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """The part of RFC 6749 §5.1 that we use. Times are Unix seconds by our own clock.

    `earliest_refresh_at` is an extension: a refresh before it would spend the refresh token. None: not told.
    """

    access_token: Secret
    refresh_token: Secret | None  # None after a refresh: the old one stays valid (§6)
    expires_in: float | None  # seconds from `received_at`; None: unknown, use it until it is refused
    scopes: tuple[str, ...] | None  # None: the requested ones
    token_type: str
    received_at: float
    date_skew_s: float | None = None  # the server's clock minus ours
    earliest_refresh_at: float | None = None
    id_token: Secret | None = None  # as sent (OpenID Connect Core §3.1.3.3), not checked


async def exchange_code(
    client: OAuthClient,
    transport: Transport,
    code: Secret,
    verifier: Secret,
    redirect_uri: str,
    *,
    state: Secret | None = None,
    clock: Callable[[], float] = time.time,
) -> TokenResponse:
    """Redeem an authorisation code, once. `redirect_uri` is that of the authorisation request (§4.1.3).

    Raises `TokenEndpointError`, and `LoginFailed` if the client is not configured.
    """
    params: dict[str, str | Secret] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": client_id_of(client),
        "code_verifier": verifier,
    }
    if client.state_in_token_request and state is not None:
        params["state"] = state
    return await request_token(client, transport, params, clock=clock)


async def refresh(
    client: OAuthClient,
    transport: Transport,
    refresh_token: Secret,
    scopes: Sequence[str] = (),
    *,
    clock: Callable[[], float] = time.time,
) -> TokenResponse:
    """Exchange a refresh token, once. `scopes` may only reduce what was granted; empty requests the same (§6).

    Raises `TokenEndpointError`, and `LoginFailed` if the client is not configured.
    """
    params: dict[str, str | Secret] = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": client_id_of(client),
    }
    if scopes:
        params["scope"] = " ".join(scopes)
    return await request_token(client, transport, params, clock=clock)


async def request_token(
    client: OAuthClient, transport: Transport, params: Params, *, clock: Callable[[], float]
) -> TokenResponse:
    """Send one grant, with the `resource` (RFC 8707 §2.2). Configured parameters never replace the grant's own."""
    url = checked(client.token_endpoint, "token_endpoint", client.provider)
    resource = {"resource": client.resource} if client.resource else {}
    everything: Params = {**client.extra_token_params, **resource, **params}
    try:
        answer = await post(transport, url, everything, encoding=client.token_request, limit_s=LIMIT_S)
    except TransportError as e:
        raise lost(client.provider, e, everything) from None
    received_at = clock()
    body = json_object(answer)
    if 200 <= answer.status < 300 and body is not None and isinstance(body.get("access_token"), str):
        return _tokens(body, answer, received_at, client.provider)
    raise failure_of(answer, everything, provider=client.provider, now=received_at)


def client_id_of(client: OAuthClient) -> str:
    """Return the client id. Raises `LoginFailed` if none is configured: we ship no other program's."""
    if client.client_id:
        return client.client_id
    raise LoginFailed(
        f"provider `{client.provider}` has no OAuth client id",
        hint=f"Register a public client with the provider and set `providers.{client.provider}.oauth.client_id`.",
        error="not_configured",
    )


def failure_of(answer: Answer, sent: Params, *, provider: str, now: float) -> TokenEndpointError:
    """Classify an answer without tokens, by its status, its `error` code and whether it is JSON at all."""
    said = server_error(json_object(answer), sent)
    failure = _failure(answer.status, said)
    return TokenEndpointError(
        f"the sign-in server of provider `{provider}` {_what_happened(answer, said, sent)}",
        failure=failure,
        error=said.error if said else "",
        status=answer.status,
        retry_after_s=retry_after_s(answer.headers, now),
    )


def _failure(status: int, said: ServerError | None) -> Failure:
    # A 429 or 5xx says nothing about the token, whatever its body claims.
    if status == 429 or status >= 500 or (said and said.error in _SERVER_IS_BUSY):
        return Failure.COOLDOWN
    if 200 <= status < 300 and said is None:
        return Failure.AMBIGUOUS  # it may have rotated the token and sent an unreadable answer
    if said is None or 300 <= status < 400:
        return Failure.TRANSIENT
    return Failure.PERMANENT if said.error in _TOKEN_IS_DEAD else Failure.REJECTED


def _what_happened(answer: Answer, said: ServerError | None, sent: Params) -> str:
    if 300 <= answer.status < 400:
        where = shown(answer.headers.get("location", "").partition("?")[0], sent)
        return f"answered with a redirect to `{where or 'nowhere'}`, which is not followed"
    if said is not None:
        return f"answered {said} (status {answer.status})"
    return f"answered with status {answer.status} and no OAuth error"


def lost(provider: str, error: TransportError, sent: Params) -> TokenEndpointError:
    """Classify a request without an answer, by whether it may have been sent."""
    was_sent = error.trouble not in _NOT_SENT
    how = "gave no complete answer" if was_sent else "can't be reached"
    return TokenEndpointError(
        f"the sign-in server of provider `{provider}` {how}: {shown(error.reason, sent)}",
        failure=Failure.AMBIGUOUS if was_sent else Failure.TRANSIENT,
        was_sent=was_sent,
    )


def _tokens(body: Mapping[str, Any], answer: Answer, received_at: float, provider: str) -> TokenResponse:
    token_type = body.get("token_type", "Bearer")  # required by §5.1, but some servers omit it
    refresh_token = body.get("refresh_token")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise _of_no_use("a token of a type other than `Bearer`", "unsupported_token_type", answer, provider)
    if not is_token(body["access_token"]) or not (refresh_token in (None, "") or is_token(refresh_token)):
        raise _of_no_use(
            "a token that can't be sent: empty, too long or not plain ASCII", "bad_token", answer, provider
        )
    for given in (body["access_token"], refresh_token, body.get("id_token")):
        if isinstance(given, str):
            remember(given)  # from here on a server may repeat it
    skew_s, lifetime_s = date_skew_s(answer.headers, received_at), _lifetime_s(body.get("expires_in"))
    id_token = body.get("id_token")
    return TokenResponse(
        access_token=Secret(body["access_token"]),
        refresh_token=Secret(refresh_token) if refresh_token else None,
        expires_in=lifetime_s,
        scopes=_scopes(body.get("scope")),
        token_type="Bearer",  # noqa: S106 - a type, not a secret
        received_at=received_at,
        date_skew_s=skew_s,
        earliest_refresh_at=earliest_refresh_at(body.get("earliest_refresh_at"), received_at, skew_s, lifetime_s),
        id_token=Secret(id_token) if isinstance(id_token, str) and is_token(id_token) else None,
    )


def _of_no_use(what: str, error: str, answer: Answer, provider: str) -> TokenEndpointError:
    """The grant is used up, and its result is unusable."""
    return TokenEndpointError(
        f"the sign-in server of provider `{provider}` returned {what}",
        failure=Failure.AMBIGUOUS,
        error=error,
        status=answer.status,
    )


def _lifetime_s(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    return min(seconds, _LONGEST_LIFETIME_S)


def _scopes(value: object) -> tuple[str, ...] | None:
    """Return the valid scopes (§3.3); invalid ones are dropped, because scopes are shown to people."""
    found = value.split() if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(scope, str) for scope in found):
        return None
    return tuple(scope for scope in found[:_MOST_SCOPES] if _SCOPE.fullmatch(scope))
