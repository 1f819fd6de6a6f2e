"""Read the rate-limit headers of an answer. Never raises, whatever they contain."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
# (what is left, when it is full again). Anthropic's, OpenAI's, and those of the IETF's drafts.
_REQUESTS = (
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("ratelimit-remaining", "ratelimit-reset"),
)
_TOKENS = (
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
)


@dataclass(frozen=True, slots=True)
class Left:
    """How many requests may still start before `reset_s` from now; 0 also if tokens are used up."""

    requests: int
    reset_s: float


def left_of(headers: Mapping[str, str], now: datetime | None = None) -> Left | None:
    """Return what is left according to these headers; None if they don't say, or are malformed."""
    found: Left | None = None
    for remaining, reset in _REQUESTS:
        if (text := headers.get(remaining)) is not None:
            found = _left(text, headers.get(reset, ""), now)
            break
    for remaining, reset in _TOKENS:
        if headers.get(remaining) == "0":
            tokens = _left("0", headers.get(reset, ""), now)
            if tokens is not None and (found is None or found.requests or tokens.reset_s > found.reset_s):
                found = tokens
    return found


def _left(remaining: str, reset: str, now: datetime | None) -> Left | None:
    try:
        requests = int(remaining)
    except ValueError:
        return None
    reset_s = _seconds(reset.strip(), now)
    return None if reset_s is None or requests < 0 else Left(requests, reset_s)


def _seconds(text: str, now: datetime | None) -> float | None:
    """Read `6m0s`, `20ms`, `12`, or an RFC 3339 time, as seconds from now."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    match = _DURATION.fullmatch(text)
    if match is not None and text:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
        return 3600 * hours + 60 * minutes + seconds + milliseconds / 1000
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        return None
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
