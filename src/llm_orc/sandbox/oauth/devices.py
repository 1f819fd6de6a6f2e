"""Sign-ins on another device that wait for their user (RFC 8628)."""

from __future__ import annotations

import secrets
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass
from llm_orc.sandbox.oauth.grants import OAuthProblem

if TYPE_CHECKING:
    from collections.abc import Callable

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, so that codes spell no words (§6.1)
_SLOW_DOWN_S = 5.0  # added to the interval (§3.5)
_TOO_EARLY = 0.9  # tolerated fraction of the interval: timers are inexact


@dataclass(slots=True)
class DeviceLogin:
    """One waiting sign-in. `decision` is None until the user has decided."""

    device_code: str = field(repr=False)
    user_code: str
    client_id: str
    scopes: tuple[str, ...]
    expires_at: float
    interval_s: float
    decision: Literal["allowed", "denied"] | None = None
    polled_at: float | None = None
    is_redeemed: bool = False


class Devices:
    def __init__(self, *, interval_s: float, lifetime_s: float, clock: Callable[[], float]) -> None:
        self.interval_s = interval_s
        self.lifetime_s = lifetime_s
        self._clock = clock
        self._by_device_code: dict[str, DeviceLogin] = {}

    @property
    def waiting(self) -> list[DeviceLogin]:
        return [login for login in self._by_device_code.values() if login.decision is None]

    def begin(self, client_id: str, scopes: tuple[str, ...]) -> DeviceLogin:
        half = ["".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2)]
        login = DeviceLogin(
            device_code=f"sandbox-device-{secrets.token_urlsafe(16)}",
            user_code="-".join(half),
            client_id=client_id,
            scopes=scopes,
            expires_at=self._clock() + self.lifetime_s,
            interval_s=self.interval_s,
        )
        self._by_device_code[login.device_code] = login
        return login

    def decide(self, user_code: str, decision: Literal["allowed", "denied"]) -> bool:
        """Decide for the user. Returns False if no sign-in waits for this code; case and dash don't matter."""
        wanted = _letters(user_code)
        for login in self.waiting:
            if _letters(login.user_code) == wanted and self._clock() < login.expires_at:
                login.decision = decision
                return True
        return False

    def poll(self, device_code: str, client_id: str) -> DeviceLogin:
        """Return the sign-in if it is allowed, only once. Otherwise raises `OAuthProblem` (§3.5)."""
        login = self._by_device_code.get(device_code)
        if login is None or login.client_id != client_id or login.is_redeemed:
            raise OAuthProblem("invalid_grant", "unknown device code")
        now = self._clock()
        if now >= login.expires_at:
            raise OAuthProblem("expired_token", "the device code has expired")
        last, login.polled_at = login.polled_at, now
        if last is not None and now - last < login.interval_s * _TOO_EARLY:
            login.interval_s += _SLOW_DOWN_S
            raise OAuthProblem("slow_down", "polling faster than the interval")
        if login.decision is None:
            raise OAuthProblem("authorization_pending", "nobody has answered yet")
        if login.decision == "denied":
            raise OAuthProblem("access_denied", "the person said no")
        login.is_redeemed = True
        return login


def _letters(user_code: str) -> str:
    return "".join(character for character in user_code.upper() if character.isalnum())
