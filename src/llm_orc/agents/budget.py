"""A run's budget: each attempt's maximum is reserved before it is sent, and settled by its known cost."""

from __future__ import annotations

import asyncio
import math
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.path import AgentPath
from llm_orc.dataclass import dataclass
from llm_orc.errors import BudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ROUNDING_USD = 1e-9
_HINTS = {
    "calls": "Allow more with `llm-orc resume --max-calls N`.",
    "cost": "Allow more with `llm-orc resume --max-cost USD`, or lower the agent's `max_tokens`.",
}


@dataclass(slots=True)
class Attempt:
    """One attempt of a call. `most_usd` is 0 if it costs nothing, or if the cost is not limited."""

    agent: AgentPath
    most_usd: float
    is_sent: bool = False  # from here on it may be billed
    cost_usd: float | None = None  # None: unknown (so far)
    number: int = 0  # its number in the run record; 0: not recorded

    @property
    def what(self) -> str:
        return f"agent `{self.agent}`"

    def counts_usd(self, error: BaseException | None) -> float:
        """Return what the attempt counts after its end, with `error` if it failed: its cost, else its maximum.

        0 if it was not sent, or is certainly not billed.
        """
        if self.cost_usd is not None:
            return self.cost_usd
        is_unbilled = isinstance(error, LlmOrcError) and not error.may_be_billed
        return self.most_usd if self.is_sent and not is_unbilled else 0.0


class Spending(Protocol):
    """The budget interface: a run's own budget, or that of a batch, which many processes share."""

    @property
    def limits_cost(self) -> bool:
        """False: no price needs to be known."""
        ...

    def reserve(self, attempt: Attempt) -> AbstractAsyncContextManager[None]:
        """Reserve the attempt's maximum. Raises `BudgetExceeded` if less is left."""
        ...

    async def count(self, attempt: Attempt) -> None:
        """Count the attempt, which is about to be sent, durably, so that it counts even if this process dies.

        Raises `BudgetExceeded` if no more may be sent, `StorageError` if it can't be stored.
        """
        ...


class AttemptRecord(Protocol):
    """Records the attempts of a run, so that a process that resumes it knows them."""

    async def started(self, attempt: Attempt) -> None:
        """Return when this attempt is recorded as about to be sent. Raises `StorageError` if that fails."""
        ...

    def ended(self, attempt: Attempt, counts_usd: float) -> None: ...


class Budget:
    """A run's budget: US dollars over metered accesses, and calls over any; None: no limit.

    `spent_usd` and `calls` count what an earlier process has spent, or may have, on the same run.
    """

    def __init__(
        self,
        limit_usd: float | None,
        spent_usd: float = 0.0,
        *,
        max_calls: int | None = None,
        calls: int = 0,
        record: AttemptRecord | None = None,
        of: str | None = None,
    ) -> None:
        """`of`: the ensemble within an agent whose file sets the limit; None: it is the run's."""
        self.limits_cost = limit_usd is not None
        self.limit_usd = math.inf if limit_usd is None else limit_usd
        self.spent_usd = spent_usd
        self.max_calls, self.calls = max_calls, calls
        self._record = record
        self._of = "the run" if of is None else f"ensemble `{of}`"
        self._hints = (
            _HINTS if of is None else dict.fromkeys(_HINTS, f"Its file limits what it may spend: `{of}`.")
        )
        self._reserved_usd = 0.0
        self._changed = asyncio.Condition()

    async def count(self, attempt: Attempt) -> None:
        if self.max_calls is not None and self.calls >= self.max_calls:
            raise BudgetExceeded(
                f"{attempt.what} is not called: {self._of} has made all {self.max_calls} calls that it may make",
                hint=self._hints["calls"],
            )
        self.calls += 1
        if self._record is not None:
            attempt.number = self.calls
            await self._record.started(attempt)

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[None]:
        """Reserve; wait while attempts in flight may leave enough; raise `BudgetExceeded` if they can't."""
        await self._reserve(attempt)
        error: BaseException | None = None
        try:
            yield
        except BaseException as e:
            error = e
            raise
        finally:
            counts_usd = attempt.counts_usd(error)
            self._reserved_usd -= attempt.most_usd
            self.spent_usd += counts_usd
            if attempt.number and self._record is not None:
                self._record.ended(attempt, counts_usd)
            await asyncio.shield(self._tell())

    async def _reserve(self, attempt: Attempt) -> None:
        most_usd = attempt.most_usd
        if not most_usd:
            return
        async with self._changed:
            while not self._fits(self._reserved_usd + most_usd):
                if self._reserved_usd <= _ROUNDING_USD or not self._fits(most_usd):
                    raise BudgetExceeded(
                        f"{attempt.what} may cost up to ${most_usd:.4f}; only ${max(self._left_usd, 0):.4f} of the"
                        f" ${self.limit_usd:.2f} that {self._of} may cost are left",
                        hint=self._hints["cost"],
                    )
                await self._changed.wait()
            self._reserved_usd += most_usd

    def _fits(self, usd: float) -> bool:
        """Also false if the limit is not a number."""
        return self.spent_usd + usd <= self.limit_usd + _ROUNDING_USD

    @property
    def _left_usd(self) -> float:
        return self.limit_usd - self.spent_usd - self._reserved_usd

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
