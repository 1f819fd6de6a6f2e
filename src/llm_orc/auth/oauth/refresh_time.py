"""The earliest time of a refresh, as a token response may name it: an extension of OpenAI's server.

Null, a number and text occur (https://developers.openai.com/siwc/token-sharing-open-source/token-reference).
A refresh before that time is answered with `invalid_grant` and spends the refresh token. So what is in doubt is
read as the later time.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

_LONGEST_SPAN_S = 1e8  # three years: a larger number is a point in time
_FIRST_UNIX_MS = 1e11  # as seconds, it would be the year 5138
_NEVER_S = 10 * 365 * 86_400.0


def earliest_refresh_at(
    value: object, received_at: float, date_skew_s: float | None, lifetime_s: float | None
) -> float | None:
    """Return the time by our own clock, in Unix seconds; None if the response names none.

    What can't be read counts as the end of the access token. `date_skew_s` is the server's clock minus ours: as
    `Date` has whole seconds and is older than the response, the time found is late by a moment, never early.
    """
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None:
        moment = _moment(value)
    elif number < _LONGEST_SPAN_S:
        return received_at + max(0.0, number)
    else:
        moment = number / 1000 if number >= _FIRST_UNIX_MS else number
    if moment is None:
        return received_at + (_NEVER_S if lifetime_s is None else lifetime_s)
    return moment - (date_skew_s or 0.0)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: object) -> float | None:
    """Read a date and time of ISO 8601; without an offset it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
