"""The budget of a batch and of each row, over all workers: counted in the store before a call is sent."""

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
from llm_orc.batches.tables import BATCHES, RESERVATIONS, ROWS, WORKERS
from llm_orc.batches.workers.membership import Evicted
from llm_orc.errors import BatchBudgetExceeded, BatchNotFound, BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from llm_orc.agents.budget import Attempt

_ROUNDING_USD = 1e-9
_COUNTED_AT_ONCE = 64  # calls
_SHARE_COUNTED = 32  # at most one in so many of the calls that are left: a killed worker loses them
_STALE_S = 1.0  # after which this worker has to check again that it is not evicted
_POLL_S = 0.25  # for calls in progress that cost less than was reserved for them


class LimitsChanged(Exception):
    """The batch was submitted again with other kinds of limits, on which depends how a call is made."""


class BatchAccount:
    """A batch's budget as one worker draws on it. `limits` are the ones in force at its last call."""

    def __init__(self, engine: sa.Engine, worker_id: str, batch_id: str, limits: BatchLimits) -> None:
        self.limits = limits
        self._engine, self._worker_id, self._batch_id = engine, worker_id, batch_id
        self._is_shared = engine.dialect.name == "postgresql"
        self._counted = 0  # calls that are counted in the store and not made yet
        self._counting = asyncio.Lock()
        self._reserving = asyncio.Lock()  # calls that wait for money: one of them polls

    def of_row(self, number: int, before_send: Callable[[], Awaitable[None]]) -> RowBudget:
        """`before_send` is awaited immediately before each attempt is counted and sent; it may hold it back."""
        return RowBudget(self, number, before_send)

    async def count_call(self, number: int, what: str) -> None:
        """Count one attempt of a call. If this raises, it must not be sent.

        Raises `BudgetExceeded` if the row has no call left, `BatchBudgetExceeded` if the batch has none,
        `BatchNotFound` if the batch was deleted, `Evicted`, and `LimitsChanged`.
        """
        checked_at = time.monotonic()
        if self._is_shared:
            await self._check_limits()
        async with self._counting:
            if not self._counted:
                self._counted = await in_store(partial(self._count_some, what))
            self._counted -= 1
        if self.limits.row_max_calls is not None:
            try:
                await in_store(partial(self._count_of_row, number, what))
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
        this = BATCHES.c.batch_id == self._batch_id
        alive = sa.exists().where(WORKERS.c.worker_id == self._worker_id)
        with one_statement(self._engine) as connection:
            found = connection.execute(sa.select(*_LIMITS).where(this, alive)).one_or_none()
            if found is None and not connection.execute(sa.select(sa.exists().where(this))).scalar_one():
                raise BatchNotFound(f"batch `{self._batch_id}` was deleted")
        if found is None:
            raise Evicted(self._worker_id)
        return BatchLimits(*found)

    def _count_some(self, what: str) -> int:
        """Count several calls at once, to write less often, and fewer near the limit. Return how many."""
        this = BATCHES.c.batch_id == self._batch_id
        with self._engine.begin() as connection:
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

    def _count_of_row(self, number: int, what: str) -> None:
        row = sa.and_(ROWS.c.batch_id == self._batch_id, ROWS.c.number == number)
        more = sa.update(ROWS).where(row, ROWS.c.calls < self.limits.row_max_calls)
        with one_statement(self._engine) as connection:
            counted = connection.execute(more.values(calls=ROWS.c.calls + 1)).rowcount
        if not counted:
            raise BudgetExceeded(
                f"{what} is not called: the row has made all {self.limits.row_max_calls} calls that one run may"
                " make (`max_calls`)",
                hint="Raise it, give the batch's command again, then run `llm-orc batch retry-failed`.",
            )

    async def give_back(self) -> None:
        """Stop counting calls that were not made, since none follows. Those of a killed worker stay counted."""
        async with self._counting:
            unused, self._counted = self._counted, 0
            if unused:
                with suppress(sa.exc.SQLAlchemyError):  # not tried again: better to count too many than too few
                    await asyncio.to_thread(self._count_less, unused)

    def _count_less(self, unused: int) -> None:
        with one_statement(self._engine) as connection:
            fewer = sa.update(BATCHES).where(BATCHES.c.batch_id == self._batch_id)
            connection.execute(fewer.values(calls=BATCHES.c.calls - unused))

    async def reserve(self, number: int, most_usd: float, what: str) -> str:
        """Reserve `most_usd` and return the reservation's id; wait while calls in progress may leave enough.

        Raises `BudgetExceeded`, or `BatchBudgetExceeded`, if they can't leave enough.
        """
        reservation_id = uuid.uuid4().hex
        async with self._reserving:
            while True:
                if await in_store(partial(self._reserve, reservation_id, number, most_usd, what)):
                    return reservation_id
                await asyncio.sleep(_POLL_S)

    def _reserve(self, reservation_id: str, number: int, most_usd: float, what: str) -> bool:
        with self._engine.begin() as connection:
            limits = (BATCHES.c.max_cost_usd, BATCHES.c.row_max_cost_usd, BATCHES.c.spent_usd)
            batch = connection.execute(
                sa.select(*limits).where(BATCHES.c.batch_id == self._batch_id).with_for_update()
            ).one()
            spent_of_row = connection.execute(
                sa.select(ROWS.c.spent_usd).where(ROWS.c.batch_id == self._batch_id, ROWS.c.number == number)
            ).scalar_one()
            living = sa.exists().where(WORKERS.c.worker_id == RESERVATIONS.c.worker_id)
            reservations = connection.execute(
                sa.select(RESERVATIONS.c.hold_id, RESERVATIONS.c.number, RESERVATIONS.c.usd, living).where(
                    RESERVATIONS.c.batch_id == self._batch_id
                )
            ).all()
            if any(one.hold_id == reservation_id for one in reservations):  # stored before the connection broke
                return True
            of_row = _Allowance(batch.row_max_cost_usd, spent_of_row)
            of_batch = _Allowance(batch.max_cost_usd, batch.spent_usd)
            for _, of, usd, lives in reservations:
                of_batch.add(usd, lives=lives)
                if of == number:
                    of_row.add(usd, lives=lives)
            if not of_row.can_fit(most_usd):
                raise BudgetExceeded(
                    f"{what} may cost up to ${most_usd:.4f}, which exceeds the row's limit (`max_cost`)",
                    hint="Raise it, give the batch's command again, then run `llm-orc batch retry-failed`.",
                )
            if not of_batch.can_fit(most_usd):
                raise BatchBudgetExceeded(
                    f"{what} may cost up to ${most_usd:.4f}, which exceeds the batch's limit (`--max-cost`)",
                    hint="To continue, give the same command with a higher `--max-cost`.",
                )
            if not (of_row.fits(most_usd) and of_batch.fits(most_usd)):
                return False
            of = {"batch_id": self._batch_id, "number": number, "worker_id": self._worker_id}
            connection.execute(sa.insert(RESERVATIONS).values(hold_id=reservation_id, usd=most_usd, **of))
            return True

    def settle(self, reservation_id: str, number: int, spent_usd: float) -> None:
        """Replace the reservation by what the call has cost. Calling this again changes nothing."""
        with self._engine.begin() as connection:
            this = sa.delete(RESERVATIONS).where(RESERVATIONS.c.hold_id == reservation_id)
            if not connection.execute(this).rowcount:
                return
            row = sa.and_(ROWS.c.batch_id == self._batch_id, ROWS.c.number == number)
            connection.execute(sa.update(ROWS).where(row).values(spent_usd=ROWS.c.spent_usd + spent_usd))
            connection.execute(
                sa.update(BATCHES)
                .where(BATCHES.c.batch_id == self._batch_id)
                .values(spent_usd=BATCHES.c.spent_usd + spent_usd)
            )


class RowBudget:
    """The budget of one row: its own, and its share of the batch's. See `agents.budget.Spending`.

    What a killed worker had reserved counts as spent: its calls may have been billed.
    """

    def __init__(self, account: BatchAccount, number: int, before_send: Callable[[], Awaitable[None]]) -> None:
        self._account, self._number, self._before_send = account, number, before_send
        limits = account.limits
        self.limits_cost = limits.max_cost_usd is not None or limits.row_max_cost_usd is not None

    async def count(self, attempt: Attempt) -> None:
        await self._before_send()
        await self._account.count_call(self._number, attempt.what)

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[None]:
        if not self.limits_cost or not attempt.most_usd:
            yield
            return
        reservation_id = await self._account.reserve(self._number, attempt.most_usd, attempt.what)
        error: BaseException | None = None
        try:
            yield
        except BaseException as e:
            error = e
            raise
        finally:
            spent_usd = attempt.counts_usd(error)
            await asyncio.shield(in_store(partial(self._account.settle, reservation_id, self._number, spent_usd)))


class _Allowance:
    """A limit, what is spent of it, and what is reserved for calls in progress."""

    def __init__(self, limit_usd: float | None, spent_usd: float) -> None:
        self._limit_usd = None if limit_usd is None else limit_usd + _ROUNDING_USD
        self._spent_usd, self._reserved_usd = spent_usd, 0.0

    def add(self, usd: float, *, lives: bool) -> None:
        """Add a reservation. If its worker is dead, it counts as spent."""
        if lives:
            self._reserved_usd += usd
        else:
            self._spent_usd += usd

    def can_fit(self, usd: float) -> bool:
        """Whether `usd` would fit if all calls in progress turned out free."""
        return self._limit_usd is None or self._spent_usd + usd <= self._limit_usd

    def fits(self, usd: float) -> bool:
        """Whether `usd` fits beside all reservations."""
        return self._limit_usd is None or self._spent_usd + self._reserved_usd + usd <= self._limit_usd


_LIMITS = (
    BATCHES.c.max_cost_usd,
    BATCHES.c.max_calls,
    BATCHES.c.row_max_cost_usd,
    BATCHES.c.row_max_calls,
)
