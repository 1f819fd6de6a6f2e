"""When a token is refreshed: before it expires, by our own clock."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.auth.credential import OAuthToken

_ADVISORY_S, _MANDATORY_S = 300.0, 30.0
_ADVISORY_PART, _MANDATORY_PART = 1 / 4, 1 / 20  # of a lifetime, if that is shorter


class Urgency(Enum):
    FRESH = auto()
    DUE = auto()  # refresh, and use the valid token meanwhile
    OVERDUE = auto()  # wait for the refresh, but use a valid token if it fails
    EXPIRED = auto()


def urgency(token: OAuthToken, now: float) -> Urgency:
    """Return the urgency: due within min(300 s, lifetime/4) of expiry, overdue within min(30 s, lifetime/20).

    A token of unknown lifetime is fresh until the provider refuses it. A valid one that may not be refreshed yet
    is fresh, too.
    """
    if token.expires_at is None:
        return Urgency.FRESH
    left = token.expires_at - now
    lifetime = max(0.0, token.expires_at - token.issued_at) if token.issued_at is not None else float("inf")
    if left <= 0:
        return Urgency.EXPIRED
    if not token.may_refresh(now):
        return Urgency.FRESH
    if left <= min(_MANDATORY_S, lifetime * _MANDATORY_PART):
        return Urgency.OVERDUE
    return Urgency.DUE if left <= min(_ADVISORY_S, lifetime * _ADVISORY_PART) else Urgency.FRESH
