"""What a run may spend: a call's most is put aside before it starts, and settled when it has ended."""

from __future__ import annotations

import asyncio
import math
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

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


class Spending(Protocol):
    """What a caller asks before it spends: a run's own budget, or that of a batch, which many processes share."""

    @property
    def limits_cost(self) -> bool:
        """False: `hold` need not be asked, and no price need be known."""
        ...

    def hold(self, most_usd: float, what: str) -> AbstractAsyncContextManager[Held]:
        """Put `most_usd` aside for the call inside. Raises `BudgetExceeded` where less is left."""
        ...

    async def count_call(self, what: str) -> None:
        """Count one try of a call that is about to be sent. Raises `BudgetExceeded` where no more may be."""
        ...


class Budget:
    """What a run may spend: US dollars over metered accesses, and calls over any; None: without a limit.

    `spent_usd` and `calls` count what an earlier try of the run has spent.
    """

    def __init__(
        self, limit_usd: float | None, spent_usd: float = 0.0, *, max_calls: int | None = None, calls: int = 0
    ) -> None:
        self.limits_cost = limit_usd is not None
        self.limit_usd = math.inf if limit_usd is None else limit_usd
        self.spent_usd = spent_usd
        self.max_calls, self.calls = max_calls, calls
        self._held_usd = 0.0
        self._changed = asyncio.Condition()

    async def count_call(self, what: str) -> None:
        """Count one try. Raises `BudgetExceeded` where the run has made all that it may."""
        if self.max_calls is not None and self.calls >= self.max_calls:
            raise BudgetExceeded(
                f"{what} is not asked: the run has made all the {self.max_calls} calls that it may make",
                hint="Allow more with `llm-orc resume --max-calls N`.",
            )
        self.calls += 1

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
