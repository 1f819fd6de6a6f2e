"""The budget of one row: its own, that of what runs within it, and its share of the batch's."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.attempt import settled
from llm_orc.batches.database import in_store
from llm_orc.batches.workers.spending.reservations import RowCall, reserve, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from llm_orc.agents.budgets.attempt import Attempt
    from llm_orc.agents.uses.limits import Bound
    from llm_orc.batches.workers.spending.account import BatchAccount

_POLL_S = 0.25  # for calls in progress that take less than was reserved for them


class RowBudget:
    """See `agents.budgets.attempt.Spending`.

    What a killed worker had reserved counts as spent: its calls may have been billed.
    """

    def __init__(
        self,
        account: BatchAccount,
        number: int,
        before_send: Callable[[], Awaitable[None]],
        bounds: Sequence[Bound] = (),
    ) -> None:
        """`before_send` is awaited immediately before each attempt is counted and sent; it may hold it back.

        `bounds` hold for the agent within the row.
        """
        self._account, self._number, self._before_send, self._bounds = account, number, before_send, bounds
        limits = account.limits
        ceilings = limits.of_batch.lowest([limits.of_row, *(bound.ceilings for bound in bounds)])
        self.limits_cost = ceilings.max_cost_usd is not None
        self.limits_tokens = ceilings.max_total_tokens is not None

    async def count(self, attempt: Attempt) -> None:
        await self._before_send()
        await self._account.count_call(self._number, attempt.what, self._bounds)

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[None]:
        """Reserve; wait while calls in progress may leave enough. See `reservations.reserve`."""
        if not attempt.reserves or not (self.limits_cost or self.limits_tokens):
            yield
            return
        account, call = self._account, RowCall(self._number, attempt, self._bounds)
        reservation_id = uuid.uuid4().hex
        async with account.reserving:
            while True:
                if await in_store(partial(reserve, account, reservation_id, call)):
                    break
                await asyncio.sleep(_POLL_S)

        async def settle_in_store(usd: float, tokens: int) -> None:
            await asyncio.shield(in_store(partial(settle, account, reservation_id, call, usd, tokens)))

        async with settled(attempt, settle_in_store):
            yield
