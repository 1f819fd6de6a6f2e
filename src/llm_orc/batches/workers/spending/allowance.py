"""Whether a call fits limits, beside what is spent and what is reserved for calls in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.agents.budgets.ceilings import Ceilings, Limited

_ROUNDING_USD = 1e-9


class Allowance:
    """Limits of cost and tokens, what is spent of them, and what is reserved for calls in progress."""

    def __init__(self, ceilings: Ceilings, spent_usd: float, tokens: int) -> None:
        self._most_usd, self._most_tokens = ceilings.max_cost_usd, ceilings.max_total_tokens
        self._spent_usd, self._spent_tokens = spent_usd, tokens
        self._reserved_usd, self._reserved_tokens = 0.0, 0

    def add(self, usd: float, tokens: int, *, lives: bool) -> None:
        """Add a reservation. If its worker is dead, it counts as spent."""
        if lives:
            self._reserved_usd += usd
            self._reserved_tokens += tokens
        else:
            self._spent_usd += usd
            self._spent_tokens += tokens

    def exceeded_by(self, usd: float, tokens: int) -> Limited | None:
        """Return the limit that this would exceed even if all calls in progress turned out free."""
        return self._exceeded(self._spent_usd + usd, self._spent_tokens + tokens)

    def fits(self, usd: float, tokens: int) -> bool:
        """Whether it fits beside all reservations."""
        spent_usd, spent_tokens = self._spent_usd + self._reserved_usd, self._spent_tokens + self._reserved_tokens
        return self._exceeded(spent_usd + usd, spent_tokens + tokens) is None

    def _exceeded(self, usd: float, tokens: int) -> Limited | None:
        if self._most_usd is not None and not usd <= self._most_usd + _ROUNDING_USD:
            return "cost"
        return "tokens" if self._most_tokens is not None and tokens > self._most_tokens else None
