"""What a batch and each of its rows may spend, over all workers: counted in the store before a call starts."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.batch import BatchLimits
from llm_orc.batches.database import in_store, one_statement
from llm_orc.batches.tables import BATCHES, HOLDS, ROWS, WORKERS
from llm_orc.batches.workers.membership import Evicted
from llm_orc.errors import BatchBudgetExceeded, BatchNotFound, BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from llm_orc.agents.budget import Tried

_ROUNDING_USD = 1e-9
_DRAWN_AT_ONCE = 64  # calls
_SHARE_DRAWN = 32  # one in so many of those that are left: what a killed worker can take along
_STALE_S = 1.0  # since a look at whether this worker still counts as alive
_LOOK_S = 0.25  # for calls under way that cost less than was put aside for them


class LimitsChanged(Exception):
    """Somebody submitted the batch again with other limits: how a call is made depends on them."""


class BatchAccount:
    """A batch's budget as one worker draws on it. `limits` are the ones in force at its last call."""

    def __init__(self, engine: sa.Engine, worker_id: str, batch_id: str, limits: BatchLimits) -> None:
        self.limits = limits
        self._engine, self._worker_id, self._batch_id = engine, worker_id, batch_id
        self._is_shared = engine.dialect.name == "postgresql"
        self._drawn = 0  # calls that are counted and not made yet
        self._drawing = asyncio.Lock()
        self._line = asyncio.Lock()  # of calls that wait for money: one of them looks

    def of_row(self, number: int, before_send: Callable[[], Awaitable[None]]) -> RowBudget:
        """`before_send` is awaited immediately before each try is counted and sent; it may hold the try back."""
        return RowBudget(self, number, before_send)

    # --- calls --------------------------------------------------------------------------------------------

    async def count_call(self, number: int, what: str) -> None:
        """Count one try of a call. Raises `BudgetExceeded` where row or batch have made all that they may.

        Raises `GoneForDead`, `LimitsChanged`; then too nothing may be sent.
        """
        looked_at = time.monotonic()
        if self._is_shared:
            await self._see_limits()
        async with self._drawing:
            if not self._drawn:
                self._drawn = await in_store(partial(self._draw, what))
            self._drawn -= 1
        if self.limits.row_max_calls is not None:
            try:
                await in_store(partial(self._count_of_row, number, what))
            except BudgetExceeded:
                self._drawn += 1
                raise
        if self._is_shared and time.monotonic() - looked_at > _STALE_S:
            await self._see_limits()  # we may have been stopped in between, and others have our rows

    async def _see_limits(self) -> None:
        before, self.limits = self.limits, await in_store(self._look)
        if before.kinds != self.limits.kinds:
            raise LimitsChanged

    def _look(self) -> BatchLimits:
        """Return the limits, which may have changed. A file is one process's: there they don't."""
        this = BATCHES.c.batch_id == self._batch_id
        alive = sa.exists().where(WORKERS.c.worker_id == self._worker_id)
        with one_statement(self._engine) as connection:
            found = connection.execute(sa.select(*_LIMITS).where(this, alive)).one_or_none()
            if found is None and not connection.execute(sa.select(sa.exists().where(this))).scalar_one():
                raise BatchNotFound(f"batch `{self._batch_id}` was deleted")
        if found is None:
            raise Evicted(self._worker_id)
        return BatchLimits(*found)

    def _draw(self, what: str) -> int:
        """Count some calls at once, so that not each one writes; near the limit, one. Returns how many."""
        this = BATCHES.c.batch_id == self._batch_id
        with self._engine.begin() as connection:
            batch = connection.execute(
                sa.select(BATCHES.c.calls, BATCHES.c.max_calls).where(this).with_for_update()
            ).one()
            left = math.inf if batch.max_calls is None else batch.max_calls - batch.calls
            if left < 1:
                raise BatchBudgetExceeded(
                    f"{what} is not asked: the batch has made all the calls that it may make (`--max-calls`)",
                    hint="The same command with a higher --max-calls goes on.",
                )
            drawn = int(max(1, min(_DRAWN_AT_ONCE, left // _SHARE_DRAWN)))
            connection.execute(sa.update(BATCHES).where(this).values(calls=BATCHES.c.calls + drawn))
            return drawn

    def _count_of_row(self, number: int, what: str) -> None:
        row = sa.and_(ROWS.c.batch_id == self._batch_id, ROWS.c.number == number)
        more = sa.update(ROWS).where(row, ROWS.c.calls < self.limits.row_max_calls)
        with one_statement(self._engine) as connection:
            counted = connection.execute(more.values(calls=ROWS.c.calls + 1)).rowcount
        if not counted:
            raise BudgetExceeded(
                f"{what} is not asked: the row has made all the {self.limits.row_max_calls} calls that one run may"
                " make (`max_calls`)",
                hint="Raise it, give the batch's command again, then: llm-orc batch retry-failed",
            )

    async def give_back(self) -> None:
        """Count no more calls than were made, now that none follows. What a killed worker drew stays counted."""
        async with self._drawing:
            drawn, self._drawn = self._drawn, 0
            if drawn:
                with suppress(sa.exc.SQLAlchemyError):  # never twice: rather too many are counted than too few
                    await asyncio.to_thread(self._undraw, drawn)

    def _undraw(self, drawn: int) -> None:
        with one_statement(self._engine) as connection:
            fewer = sa.update(BATCHES).where(BATCHES.c.batch_id == self._batch_id)
            connection.execute(fewer.values(calls=BATCHES.c.calls - drawn))

    # --- money --------------------------------------------------------------------------------------------

    async def take(self, number: int, most_usd: float, what: str) -> str:
        """Put `most_usd` aside and return the name of that; waits while calls under way may yet leave enough.

        Raises `BudgetExceeded` where they can't.
        """
        hold_id = uuid.uuid4().hex
        async with self._line:
            while True:
                if await in_store(partial(self._take, hold_id, number, most_usd, what)):
                    return hold_id
                await asyncio.sleep(_LOOK_S)

    def _take(self, hold_id: str, number: int, most_usd: float, what: str) -> bool:
        with self._engine.begin() as connection:
            limits = (BATCHES.c.max_cost_usd, BATCHES.c.row_max_cost_usd, BATCHES.c.spent_usd)
            batch = connection.execute(
                sa.select(*limits).where(BATCHES.c.batch_id == self._batch_id).with_for_update()
            ).one()
            spent_of_row = connection.execute(
                sa.select(ROWS.c.spent_usd).where(ROWS.c.batch_id == self._batch_id, ROWS.c.number == number)
            ).scalar_one()
            living = sa.exists().where(WORKERS.c.worker_id == HOLDS.c.worker_id)
            holds = connection.execute(
                sa.select(HOLDS.c.hold_id, HOLDS.c.number, HOLDS.c.usd, living).where(
                    HOLDS.c.batch_id == self._batch_id
                )
            ).all()
            if any(hold[0] == hold_id for hold in holds):  # the connection broke after it was kept
                return True
            of_row = _Purse(batch.row_max_cost_usd, spent_of_row)
            of_batch = _Purse(batch.max_cost_usd, batch.spent_usd)
            for _, of, usd, lives in holds:
                of_batch.add(usd, lives=lives)
                if of == number:
                    of_row.add(usd, lives=lives)
            if not of_row.can_have(most_usd):
                raise BudgetExceeded(
                    f"{what} may cost up to ${most_usd:.4f}, and the row may not cost so much more (`max_cost`)",
                    hint="Raise it, give the batch's command again, then: llm-orc batch retry-failed",
                )
            if not of_batch.can_have(most_usd):
                raise BatchBudgetExceeded(
                    f"{what} may cost up to ${most_usd:.4f}, and the batch may not cost so much more"
                    " (`--max-cost`)",
                    hint="The same command with a higher --max-cost goes on.",
                )
            if not (of_row.has(most_usd) and of_batch.has(most_usd)):
                return False
            hold = {"batch_id": self._batch_id, "number": number, "worker_id": self._worker_id, "usd": most_usd}
            connection.execute(sa.insert(HOLDS).values(hold_id=hold_id, **hold))
            return True

    def settle(self, hold_id: str, number: int, spent_usd: float) -> None:
        """Count what the call has cost in place of what was put aside. Once, however often it is called."""
        with self._engine.begin() as connection:
            if not connection.execute(sa.delete(HOLDS).where(HOLDS.c.hold_id == hold_id)).rowcount:
                return
            row = sa.and_(ROWS.c.batch_id == self._batch_id, ROWS.c.number == number)
            connection.execute(sa.update(ROWS).where(row).values(spent_usd=ROWS.c.spent_usd + spent_usd))
            connection.execute(
                sa.update(BATCHES)
                .where(BATCHES.c.batch_id == self._batch_id)
                .values(spent_usd=BATCHES.c.spent_usd + spent_usd)
            )


class RowBudget:
    """What one row may spend, of its own and of its batch's. See `agents.budget.Spending`.

    What a killed worker had put aside stays spent: its calls may have been billed.
    """

    def __init__(self, account: BatchAccount, number: int, before_send: Callable[[], Awaitable[None]]) -> None:
        self._account, self._number, self._before_send = account, number, before_send
        limits = account.limits
        self.limits_cost = limits.max_cost_usd is not None or limits.row_max_cost_usd is not None

    async def sending(self, tried: Tried) -> None:
        await self._before_send()
        await self._account.count_call(self._number, tried.what)

    @asynccontextmanager
    async def hold(self, tried: Tried) -> AsyncIterator[None]:
        if not self.limits_cost or not tried.most_usd:
            yield
            return
        hold_id = await self._account.take(self._number, tried.most_usd, tried.what)
        error: BaseException | None = None
        try:
            yield
        except BaseException as e:
            error = e
            raise
        finally:
            spent_usd = tried.counts_usd(error)
            await asyncio.shield(in_store(partial(self._account.settle, hold_id, self._number, spent_usd)))


class _Purse:
    """A limit, what is spent of it, and what is put aside for calls under way. A dead worker's is spent."""

    def __init__(self, limit_usd: float | None, spent_usd: float) -> None:
        self._limit_usd = None if limit_usd is None else limit_usd + _ROUNDING_USD
        self._spent_usd, self._held_usd = spent_usd, 0.0

    def add(self, usd: float, *, lives: bool) -> None:
        if lives:
            self._held_usd += usd
        else:
            self._spent_usd += usd

    def can_have(self, usd: float) -> bool:
        """Could it have so much, once no call is under way?"""
        return self._limit_usd is None or self._spent_usd + usd <= self._limit_usd

    def has(self, usd: float) -> bool:
        return self._limit_usd is None or self._spent_usd + self._held_usd + usd <= self._limit_usd


_LIMITS = (
    BATCHES.c.max_cost_usd,
    BATCHES.c.max_calls,
    BATCHES.c.row_max_cost_usd,
    BATCHES.c.row_max_calls,
)
