"""The calls that a batch, each row and what runs within it may make: counted in the store before they are sent."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.batch import BatchLimits
from llm_orc.batches.database import in_store, one_statement
from llm_orc.batches.spent_within import begin_within, hint_within, within
from llm_orc.batches.tables import BATCHES, ROWS, SPENT_WITHIN, WORKERS
from llm_orc.batches.workers.membership import Evicted
from llm_orc.errors import BatchBudgetExceeded, BatchNotFound, BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.uses.limits import Bound

_COUNTED_AT_ONCE = 64  # calls
_SHARE_COUNTED = 32  # at most one in so many of the calls that are left: a killed worker loses them
_STALE_S = 1.0  # after which this worker has to check again that it is not evicted


class LimitsChanged(Exception):
    """The batch was submitted again with other kinds of limits, on which depends how a call is made."""


class BatchAccount:
    """A batch's budget as one worker draws on it. `limits` are the ones in force at its last call."""

    def __init__(self, engine: sa.Engine, worker_id: str, batch_id: str, limits: BatchLimits) -> None:
        self.limits = limits
        self.engine, self.worker_id, self.batch_id = engine, worker_id, batch_id
        self._is_shared = engine.dialect.name == "postgresql"
        self._counted = 0  # calls that are counted in the store and not made yet
        self._counting = asyncio.Lock()
        self.reserving = asyncio.Lock()  # calls that wait until enough is left: one of them polls

    async def count_call(self, number: int, what: str, bounds: Sequence[Bound] = ()) -> None:
        """Count one attempt of a call. If this raises, it must not be sent.

        `bounds` hold for it beside the limits of the row. Raises `BudgetExceeded` if the row has no call left, or
        what the call is within, `BatchBudgetExceeded` if the batch has none,
        `BatchNotFound` if the batch was deleted, `Evicted`, and `LimitsChanged`.
        """
        checked_at = time.monotonic()
        if self._is_shared:
            await self._check_limits()
        async with self._counting:
            if not self._counted:
                self._counted = await in_store(partial(self._count_some, what))
            self._counted -= 1
        bounds = [bound for bound in bounds if bound.ceilings.max_calls is not None]
        if bounds or self.limits.row_max_calls is not None:
            try:
                await in_store(partial(self._count_of_row, number, what, bounds))
            except BudgetExceeded:
                self._counted += 1
                raise
        if self._is_shared and time.monotonic() - checked_at > _STALE_S:
            await self._check_limits()  # this process may have been suspended and evicted meanwhile

    async def _check_limits(self) -> None:
        before, self.limits = self.limits, await in_store(self._read_limits)
        if before.kinds != self.limits.kinds:
            raise LimitsChanged

    def _read_limits(self) -> BatchLimits:
        """Return the limits, which another process may have changed in a shared store."""
        this = BATCHES.c.batch_id == self.batch_id
        alive = sa.exists().where(WORKERS.c.worker_id == self.worker_id)
        with one_statement(self.engine) as connection:
            found = connection.execute(sa.select(*_LIMITS).where(this, alive)).one_or_none()
            if found is None and not connection.execute(sa.select(sa.exists().where(this))).scalar_one():
                raise BatchNotFound(f"batch `{self.batch_id}` was deleted")
        if found is None:
            raise Evicted(self.worker_id)
        return BatchLimits(*found)

    def _count_some(self, what: str) -> int:
        """Count several calls at once, to write less often, and fewer near the limit. Return how many."""
        this = BATCHES.c.batch_id == self.batch_id
        with self.engine.begin() as connection:
            batch = connection.execute(
                sa.select(BATCHES.c.calls, BATCHES.c.max_calls).where(this).with_for_update()
            ).one()
            left = math.inf if batch.max_calls is None else batch.max_calls - batch.calls
            if left < 1:
                raise BatchBudgetExceeded(
                    f"{what} is not called: the batch has made all calls that it may make (`--max-calls`)",
                    hint="To continue, give the same command with a higher `--max-calls`.",
                )
            counted = int(max(1, min(_COUNTED_AT_ONCE, left // _SHARE_COUNTED)))
            connection.execute(sa.update(BATCHES).where(this).values(calls=BATCHES.c.calls + counted))
            return counted

    def _count_of_row(self, number: int, what: str, bounds: Sequence[Bound]) -> None:
        with self.engine.begin() as connection:
            if self.limits.row_max_calls is not None:
                row = sa.and_(ROWS.c.batch_id == self.batch_id, ROWS.c.number == number)
                more = sa.update(ROWS).where(row, ROWS.c.calls < self.limits.row_max_calls)
                if not connection.execute(more.values(calls=ROWS.c.calls + 1)).rowcount:
                    raise BudgetExceeded(
                        f"{what} is not called: the row has made all {self.limits.row_max_calls} calls that one"
                        " run may make (`max_calls`)",
                        hint="Raise it, give the batch's command again, then run `llm-orc batch retry-failed`.",
                    )
            for path in begin_within(connection, self.batch_id, number, bounds):
                this = within(self.batch_id, number, path)
                of = SPENT_WITHIN.c
                connection.execute(sa.update(SPENT_WITHIN).where(this).values(calls=of.calls + 1))
                calls = connection.execute(sa.select(of.calls).where(this)).scalar_one()
                for bound in bounds:
                    if bound.path == path and calls > (bound.ceilings.max_calls or 0):
                        raise BudgetExceeded(
                            f"{what} is not called: {bound.of} has made all {bound.ceilings.max_calls} calls"
                            " that it may make",
                            hint=hint_within("max_calls", bound),
                        )

    async def give_back(self) -> None:
        """Stop counting calls that were not made, since none follows. Those of a killed worker stay counted."""
        async with self._counting:
            unused, self._counted = self._counted, 0
            if unused:
                with suppress(sa.exc.SQLAlchemyError):  # not tried again: better to count too many than too few
                    await asyncio.to_thread(self._count_less, unused)

    def _count_less(self, unused: int) -> None:
        with one_statement(self.engine) as connection:
            fewer = sa.update(BATCHES).where(BATCHES.c.batch_id == self.batch_id)
            connection.execute(fewer.values(calls=BATCHES.c.calls - unused))


_LIMITS = (
    BATCHES.c.max_cost_usd,
    BATCHES.c.max_calls,
    BATCHES.c.row_max_cost_usd,
    BATCHES.c.row_max_calls,
    BATCHES.c.max_total_tokens,
    BATCHES.c.row_max_total_tokens,
)
