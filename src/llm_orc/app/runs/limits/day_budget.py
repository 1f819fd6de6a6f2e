"""The budget of a day as the runs of one process draw on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.attempt import settled
from llm_orc.app.access.bills.day_ledger import Refused, Reserve, Settle
from llm_orc.errors import DailyBudgetExceeded, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.budgets.attempt import Attempt
    from llm_orc.app.access.bills.day_ledger import DayLedger

SETTING = "runs.max_cost_per_day"
_POLL_S = 0.25  # for calls in progress of other processes, which may cost less than is reserved for them


class DayBudget:
    """See `agents.budgets.attempt.Spending`. Changes that come while the file is written share one transaction."""

    limits_cost, limits_tokens = True, False

    def __init__(self, ledger: DayLedger, limit_usd: float) -> None:
        self._ledger, self._limit_usd = ledger, limit_usd
        self._waiting: list[tuple[Reserve | Settle, asyncio.Future[int | Refused | None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()  # a call of this process; another one waits for the next

    async def count(self, attempt: Attempt) -> None:
        """Calls are not limited by the day."""

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[None]:
        """Reserve; wait while calls in progress may leave enough; raise `DailyBudgetExceeded` if they can't."""
        if not attempt.most_usd:
            yield
            return
        reservation = await self._reserve(attempt)
        async with settled(attempt, partial(self._settle, reservation)):
            yield

    async def _settle(self, reservation: int, usd: float, _tokens: int) -> None:
        # If it can't be stored, the reservation stays: it counts as spent once this process has ended.
        with suppress(StorageError):
            await asyncio.shield(self._change(Settle(reservation, usd)))
        self._settled.set()
        self._settled = asyncio.Event()

    async def close(self) -> None:
        """Return when all that has ended is settled."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    async def _reserve(self, attempt: Attempt) -> int:
        while True:
            asked = self._change(Reserve(attempt.most_usd, self._limit_usd))
            try:
                outcome = await asyncio.shield(asked)
            except asyncio.CancelledError:
                asked.add_done_callback(self._give_back)
                raise
            if isinstance(outcome, int):
                return outcome
            assert outcome is not None
            if not outcome.may_fit_later:
                raise self._refusal(attempt, outcome)
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._settled.wait()

    def _give_back(self, asked: asyncio.Future[int | Refused | None]) -> None:
        """Nobody waits for this reservation any more, and nothing was sent."""
        if not asked.cancelled() and asked.exception() is None and isinstance(made := asked.result(), int):
            self._change(Settle(made, 0.0)).add_done_callback(_ignore)

    def _refusal(self, attempt: Attempt, refused: Refused) -> DailyBudgetExceeded:
        return DailyBudgetExceeded(
            f"{attempt.what} may cost up to ${attempt.most_usd:.4f}; ${refused.today.counted_usd:.4f} of the"
            f" ${self._limit_usd:.2f} that all runs of a day may cost (`{SETTING}`) are spent",
            hint=f"Go on tomorrow, or allow more: `llm-orc config set {SETTING} USD`.",
        )

    def _change(self, change: Reserve | Settle) -> asyncio.Future[int | Refused | None]:
        future: asyncio.Future[int | Refused | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return future

    async def _write(self) -> None:
        try:
            while self._waiting:
                now, self._waiting = self._waiting, []
                try:
                    outcomes = await asyncio.to_thread(self._ledger.apply, [change for change, _ in now])
                except Exception as e:  # noqa: BLE001 - whoever waits for it gets it
                    for _, future in now:
                        if not future.done():
                            future.set_exception(e)
                else:
                    for (_, future), outcome in zip(now, outcomes, strict=True):
                        if not future.done():
                            future.set_result(outcome)
        finally:
            self._writing = None


def _ignore(done: asyncio.Future[int | Refused | None]) -> None:
    if not done.cancelled():
        done.exception()
