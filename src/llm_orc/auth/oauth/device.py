"""Device authorisation (RFC 8628): the user signs in on any device while we poll."""

from __future__ import annotations

import asyncio
import math
import re
import time
from typing import TYPE_CHECKING, Any, NoReturn

from llm_orc.auth.oauth.addresses import problem_of
from llm_orc.auth.oauth.endpoint import checked, is_token, json_object, post, shown
from llm_orc.auth.oauth.token_endpoint import (
    Failure,
    TokenEndpointError,
    TokenResponse,
    client_id_of,
    failure_of,
    request_token,
)
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.net.transport import Answer, Transport

LIMIT_S = 30.0
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S = 5.0  # if the server names none (§3.2), and the increase for each `slow_down` (§3.5)
_SHORTEST_INTERVAL_S, _LONGEST_INTERVAL_S = 1.0, 120.0
_LONGEST_LIFETIME_S = 3600.0
_USER_CODE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """§3.2. Always show `verification_uri` and `user_code`, even if the complete URI is opened (§3.3.1)."""

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    interval_s: float
    expires_in_s: float
    expires_at: float  # by the clock that was passed in


async def request_device_code(
    client: OAuthClient, transport: Transport, *, clock: Callable[[], float] = time.time
) -> DeviceCode:
    """Request a code (§3.1). Raises `LoginFailed`, and `TokenEndpointError` if the server refuses."""
    url = checked(client.device_authorization_endpoint, "device_authorization_endpoint", client.provider)
    params: dict[str, str | Secret] = {"client_id": client_id_of(client)}
    if client.scopes:
        params["scope"] = " ".join(client.scopes)
    if client.resource:
        params["resource"] = client.resource  # RFC 8707 §2
    try:
        answer = await post(transport, url, params, limit_s=LIMIT_S)
    except TransportError as e:
        raise LoginFailed(
            f"the sign-in server of provider `{client.provider}` can't be reached: {shown(e.reason, params)}",
            hint="Check the network, then sign in again.",
            error="unreachable",
        ) from None
    body = json_object(answer)
    if answer.status != 200 or body is None or "error" in body:
        raise failure_of(answer, params, provider=client.provider, now=clock())
    return _device_code(body, answer, client.provider, clock())


async def poll_for_token(
    client: OAuthClient,
    transport: Transport,
    device: DeviceCode,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> TokenResponse:
    """Poll until the user has decided or the code has expired (§3.4, §3.5). Raises `LoginFailed`."""
    params: dict[str, str | Secret] = {
        "grant_type": _GRANT,
        "device_code": device.device_code,
        "client_id": client_id_of(client),
    }
    interval_s = device.interval_s
    wait_s = interval_s
    while clock() + wait_s < device.expires_at:
        await sleep(wait_s)
        try:
            return await request_token(client, transport, params, clock=clock)
        except TokenEndpointError as e:
            interval_s = _next_interval_s(e, interval_s, client.provider)
            wait_s = max(interval_s, e.retry_after_s or 0.0)
    raise _expired(client.provider)


def _next_interval_s(answer: TokenEndpointError, interval_s: float, provider: str) -> float:
    """Return the time until the next poll; raises if polling again is useless."""
    match answer.error:
        case "authorization_pending":
            return interval_s
        case "slow_down":
            return interval_s + _INTERVAL_S
        case "expired_token":
            raise _expired(provider) from None
        case "access_denied":
            raise LoginFailed(
                f"the sign-in at provider `{provider}` was declined",
                hint="Sign in again and allow it.",
                error="access_denied",
            ) from None
        case _:
            pass
    if answer.failure in {Failure.PERMANENT, Failure.REJECTED}:
        raise answer
    # No answer, or a failing server: poll less often, as §3.5 requires for timeouts.
    return max(interval_s, min(interval_s * 2, _LONGEST_INTERVAL_S))


def _expired(provider: str) -> LoginFailed:
    return LoginFailed(
        f"the code for provider `{provider}` expired before the sign-in was finished",
        hint="Sign in again for a new code.",
        error="expired_token",
    )


def _device_code(body: Mapping[str, Any], answer: Answer, provider: str, now: float) -> DeviceCode:
    device_code, user_code = body.get("device_code"), body.get("user_code")
    # `verification_url` is the name in early drafts, which a few servers still use.
    uri = body.get("verification_uri") or body.get("verification_url")
    if not isinstance(device_code, str) or not is_token(device_code):
        _unusable(provider, f"it has no `device_code` (status {answer.status})")
    if not isinstance(user_code, str) or not _USER_CODE.fullmatch(user_code):
        _unusable(provider, "its `user_code` can't be shown")
    if not isinstance(uri, str) or (problem := problem_of(uri)):
        problem = problem if isinstance(uri, str) else "it is missing"
        _unusable(provider, f"its `verification_uri` `{shown(str(uri), {})}` can't be used: {problem}")
    complete = body.get("verification_uri_complete")
    lifetime_s = _seconds(body.get("expires_in"), 900.0, _LONGEST_LIFETIME_S)
    return DeviceCode(
        device_code=Secret(device_code),
        user_code=user_code,
        verification_uri=uri,
        verification_uri_complete=complete if isinstance(complete, str) and not problem_of(complete) else None,
        interval_s=max(_SHORTEST_INTERVAL_S, _seconds(body.get("interval"), _INTERVAL_S, _LONGEST_INTERVAL_S)),
        expires_in_s=lifetime_s,
        expires_at=now + lifetime_s,
    )


def _seconds(value: object, default: float, longest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return default
    return min(seconds, longest) if math.isfinite(seconds) and seconds > 0 else default


def _unusable(provider: str, what: str) -> NoReturn:
    raise LoginFailed(
        f"the answer of provider `{provider}` to the start of a device sign-in can't be used: {what}",
        hint="Sign in through the browser instead, without `--device`.",
        error="unreadable",
    )
