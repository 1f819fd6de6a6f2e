"""What a run may spend: a call's most is put aside before it starts, and settled when it has ended."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_orc.errors import (
    AuthError,
    BudgetExceeded,
    LlmOrcError,
    ProviderOverloaded,
    ProviderUnreachable,
    RateLimited,
    RequestRejected,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Answered with an error, or never sent: nobody bills these. All else may have been billed, and counts as if.
_NOT_BILLED = (ProviderUnreachable, ProviderOverloaded, RateLimited, RequestRejected, AuthError)
_ROUNDING_USD = 1e-9


def is_unbilled(error: LlmOrcError) -> bool:
    """Is it sure that nobody bills a call that ended so?"""
    return isinstance(error, _NOT_BILLED)


@dataclass(slots=True)
class Held:
    """What is put aside for one call, in US dollars."""

    most_usd: float
    cost_usd: float | None = None
    lost_usd: float = 0.0

    def settle(self, cost_usd: float | None) -> None:
        """The call has ended and cost this; None: it is not known, so the most counts."""
        self.cost_usd = self.most_usd if cost_usd is None else cost_usd

    def lost(self) -> None:
        """A try that may have been billed came to nothing, and the call goes on with another."""
        self.lost_usd += self.most_usd


class Budget:
    """US dollars that a run may spend over metered accesses. `spent_usd` counts what an earlier try has spent."""

    def __init__(self, limit_usd: float, spent_usd: float = 0.0) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self._held_usd = 0.0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, most_usd: float, what: str) -> AsyncIterator[Held]:
        """Put `most_usd` aside for the call inside; waits while calls under way may yet leave enough.

        Raises `BudgetExceeded` where they can't. An error that is surely not billed gives it back, any other
        counts as spent.
        """
        await self._take(most_usd, what)
        held = Held(most_usd)
        try:
            yield held
        except _NOT_BILLED:
            held.cost_usd = 0.0
            raise
        finally:
            self._held_usd -= most_usd
            self.spent_usd += (most_usd if held.cost_usd is None else held.cost_usd) + held.lost_usd
            await asyncio.shield(self._tell())

    async def _take(self, most_usd: float, what: str) -> None:
        async with self._changed:
            while self.spent_usd + self._held_usd + most_usd > self.limit_usd + _ROUNDING_USD:
                if self._held_usd <= _ROUNDING_USD or self.spent_usd + most_usd > self.limit_usd + _ROUNDING_USD:
                    raise BudgetExceeded(
                        f"{what} may cost up to ${most_usd:.4f}, and ${max(self._left_usd, 0):.4f} of the"
                        f" ${self.limit_usd:.2f} that this run may cost are left",
                        hint="Allow more with `llm-orc resume --max-cost USD`, or lower the agent's `max_tokens`.",
                    )
                await self._changed.wait()
            self._held_usd += most_usd

    @property
    def _left_usd(self) -> float:
        return self.limit_usd - self.spent_usd - self._held_usd

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
