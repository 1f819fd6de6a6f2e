"""A cap on what a key may spend: asked for at OpenRouter's sign-in, and enforced there.

The names are those of https://openrouter.ai/docs/api/api-reference/oauth/create-authorization-code, and what a key
has is told by https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

from llm_orc.auth.oauth.endpoint import json_object
from llm_orc.dataclass import dataclass
from llm_orc.net.transport import Transport, TransportError

if TYPE_CHECKING:
    from llm_orc.auth.credential import ApiKey

Period = Literal["daily", "weekly", "monthly"]
_EACH: dict[Period, str] = {"daily": "each day", "weekly": "each week", "monthly": "each month"}
_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class SpendCap:
    """`limit_usd` None: no cap. `period` None: for all of the key's life. `expires_at`: when it ends, RFC 3339."""

    limit_usd: float | None = None
    period: Period | None = None
    expires_at: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """What the address of the sign-in page says of it."""
        limit = None if self.limit_usd is None else f"{self.limit_usd:g}"
        given = {"limit": limit, "usage_limit_type": self.period, "expires_at": self.expires_at}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def words(self) -> str:
        """The cap for people: `at most $5 each month; the key ends 2027-01-31T23:59:59Z`."""
        if self.limit_usd is None:
            words = "no cap"
        else:
            words = f"at most ${self.limit_usd:g} {_EACH[self.period] if self.period else 'in total'}"
        return f"{words}; the key ends {self.expires_at}" if self.expires_at else words


async def told_cap(transport: Transport, url: str, key: ApiKey) -> SpendCap | None:
    """Ask the provider which cap `key` has; None: it did not say."""
    headers = {"Authorization": f"Bearer {key.key.reveal()}", "Accept": "application/json"}
    try:
        answer = await transport.send("GET", url, headers, limit_s=_LIMIT_S)
    except TransportError:
        return None
    body = json_object(answer) if 200 <= answer.status < 300 else None
    data = body.get("data") if body is not None else None
    if not isinstance(data, dict) or "limit" not in data:
        return None
    limit, period, end = data["limit"], data.get("limit_reset"), data.get("expires_at")
    if isinstance(limit, bool) or not isinstance(limit, int | float | None):
        return None
    return SpendCap(
        None if limit is None else float(limit),
        cast("Period", period) if period in get_args(Period) else None,
        end if isinstance(end, str) and len(end) <= 40 and end.isprintable() else None,
    )
