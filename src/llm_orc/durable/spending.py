"""A batch's budget, shared by all its workers: what a call may cost is counted before it starts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.agents.budget import Held, is_unbilled
from llm_orc.durable.database import in_store, one_statement
from llm_orc.durable.tables import BATCHES
from llm_orc.errors import BatchBudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ROUNDING_USD = 1e-9


class BatchBudget:
    """The row of the batch is the account: one statement takes from it, or finds that too little is left.

    What a killed worker had put aside stays spent: its calls may have been billed.
    """

    def __init__(self, engine: sa.Engine, batch_id: str, *, limits_cost: bool) -> None:
        self._engine, self._batch_id = engine, batch_id
        self.limits_cost = limits_cost

    async def count_call(self, what: str) -> None:
        """Count one try of a call. Raises `BatchBudgetExceeded` where no more may be made."""
        if not await in_store(self._take_call):
            raise BatchBudgetExceeded(
                f"{what} is not asked: the batch has made all the calls that it may make (`--max-calls`)",
                hint="The same command with a higher --max-calls goes on.",
            )

    @asynccontextmanager
    async def hold(self, most_usd: float, what: str) -> AsyncIterator[Held]:
        """Put `most_usd` aside for the call inside. Raises `BatchBudgetExceeded` where less is left."""
        if not await in_store(partial(self._take_usd, most_usd)):
            raise BatchBudgetExceeded(
                f"{what} may cost up to ${most_usd:.4f}, and the batch may not cost so much more (`--max-cost`)",
                hint="The same command with a higher --max-cost goes on.",
            )
        held = Held(most_usd)
        try:
            yield held
        except LlmOrcError as e:
            if is_unbilled(e):
                held.cost_usd = 0.0
            raise
        finally:
            spent = (most_usd if held.cost_usd is None else held.cost_usd) + held.lost_usd
            await asyncio.shield(in_store(partial(self._settle, spent - most_usd)))

    def _take_call(self) -> bool:
        fits = sa.or_(BATCHES.c.max_calls.is_(None), BATCHES.c.calls < BATCHES.c.max_calls)
        return self._change({"calls": BATCHES.c.calls + 1}, fits)

    def _take_usd(self, most_usd: float) -> bool:
        limit = BATCHES.c.max_cost_usd + _ROUNDING_USD
        fits = sa.or_(BATCHES.c.max_cost_usd.is_(None), BATCHES.c.spent_usd + most_usd <= limit)
        return self._change({"spent_usd": BATCHES.c.spent_usd + most_usd}, fits)

    def _settle(self, difference_usd: float) -> None:
        self._change({"spent_usd": BATCHES.c.spent_usd + difference_usd}, sa.true())

    def _change(self, values: dict[str, sa.ColumnElement[float]], condition: sa.ColumnElement[bool]) -> bool:
        with one_statement(self._engine) as connection:
            changed = connection.execute(
                sa.update(BATCHES).where(BATCHES.c.batch_id == self._batch_id, condition).values(values)
            )
            return changed.rowcount == 1
