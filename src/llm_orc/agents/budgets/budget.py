"""A budget within one process: each attempt's maximum is reserved before it is sent, and settled after its end."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.attempt import settled
from llm_orc.agents.budgets.ceilings import KEYS, NOTHING, Ceilings, Limited
from llm_orc.errors import BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from llm_orc.agents.budgets.attempt import Attempt, AttemptRecord
    from llm_orc.agents.budgets.ceilings import Spent

_ROUNDING_USD = 1e-9
_OF_RUN: Mapping[Limited, str] = {
    "calls": "Allow more with `llm-orc resume --max-calls N`.",
    "cost": "Allow more with `llm-orc resume --max-cost USD`, or lower the agent's `max_tokens`.",
    "tokens": "Allow more with `llm-orc resume --max-total-tokens N`, or lower the agent's `max_tokens`.",
}


class Budget:
    """The budget of a run, or of what runs within one of its agents.

    `spent_usd`, `calls` and `tokens` count what an earlier process has spent, or may have, on the same run.
    """

    def __init__(
        self,
        ceilings: Ceilings,
        spent: Spent = NOTHING,
        *,
        record: AttemptRecord | None = None,
        of: str | None = None,
    ) -> None:
        """`of`: what in the file has the ceilings, such as "agent `judge`"; None: they are the run's."""
        self.limits_cost = ceilings.max_cost_usd is not None
        self.limits_tokens = ceilings.max_total_tokens is not None
        self.limit_usd = math.inf if ceilings.max_cost_usd is None else ceilings.max_cost_usd
        self.max_tokens = ceilings.max_total_tokens or 0
        self.max_calls = ceilings.max_calls
        self.spent_usd, self.calls, self.tokens = spent.usd, spent.calls, spent.tokens
        self._record = record
        self._of = of
        self._reserved_usd, self._reserved_tokens, self._under_way = 0.0, 0, 0
        self._changed = asyncio.Condition()

    def left(self) -> Ceilings:
        """Return what is left for others that have a part of it, without what is reserved."""
        return Ceilings(
            max(self.limit_usd - self.spent_usd, 0.0) if self.limits_cost else None,
            None if self.max_calls is None else max(self.max_calls - self.calls, 0),
            max(self.max_tokens - self.tokens, 0) if self.limits_tokens else None,
        )

    async def count(self, attempt: Attempt) -> None:
        if self.max_calls is not None and self.calls >= self.max_calls:
            most = f"all {self.max_calls} calls that it may make"
            raise BudgetExceeded(
                f"{attempt.what} is not called: {self._whose} has made {most}",
                hint=self._hint("calls"),
            )
        self.calls += 1
        if self._record is not None:
            attempt.number = self.calls
            await self._record.started(attempt)

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[None]:
        """Reserve; wait while attempts in flight may leave enough; raise `BudgetExceeded` if they can't."""
        await self._reserve(attempt)
        async with settled(attempt, partial(self._settle, attempt)):
            yield

    async def _settle(self, attempt: Attempt, usd: float, tokens: int) -> None:
        self._take_back(attempt)
        self.spent_usd += usd
        self.tokens += tokens
        if attempt.number and self._record is not None:
            self._record.ended(attempt, usd, tokens)
        await asyncio.shield(self._tell())

    async def _reserve(self, attempt: Attempt) -> None:
        if not attempt.reserves:
            return
        usd, tokens = attempt.most_usd, attempt.most_tokens
        async with self._changed:
            while not self._fits(self._reserved_usd + usd, self._reserved_tokens + tokens):
                if not self._under_way or not self._fits(usd, tokens):
                    raise self._refusal(attempt)
                await self._changed.wait()
            self._under_way += 1
            self._reserved_usd += usd
            self._reserved_tokens += tokens

    def _take_back(self, attempt: Attempt) -> None:
        if not attempt.reserves:
            return
        self._under_way -= 1
        self._reserved_tokens -= attempt.most_tokens
        # Sums of floats are not exact: with nothing under way, nothing is reserved.
        self._reserved_usd = self._reserved_usd - attempt.most_usd if self._under_way else 0.0

    def _fits(self, usd: float, tokens: int) -> bool:
        """Also false if the limit is not a number."""
        return self._fits_usd(usd) and self._fits_tokens(tokens)

    def _fits_usd(self, usd: float) -> bool:
        return self.spent_usd + usd <= self.limit_usd + _ROUNDING_USD

    def _fits_tokens(self, tokens: int) -> bool:
        return not self.limits_tokens or self.tokens + tokens <= self.max_tokens

    def _refusal(self, attempt: Attempt) -> BudgetExceeded:
        if not self._fits_usd(self._reserved_usd + attempt.most_usd):
            left_usd = max(self.limit_usd - self.spent_usd - self._reserved_usd, 0)
            of_all = f"the ${self.limit_usd:.2f} that {self._whose} may cost"
            too_much = f"only ${left_usd:.4f} of {of_all} are left"
            if left_usd == self.limit_usd:
                too_much = f"that is more than {of_all}"
            return BudgetExceeded(
                f"{attempt.what} may cost up to ${attempt.most_usd:.4f}; {too_much}",
                hint=self._hint("cost"),
            )
        left = max(self.max_tokens - self.tokens - self._reserved_tokens, 0)
        of_all = f"the {self.max_tokens:,} that {self._whose} may take"
        too_much = f"only {left:,} of {of_all} are left"
        if left == self.max_tokens:
            too_much = f"that is more than {of_all}"
        return BudgetExceeded(
            f"{attempt.what} may take up to {attempt.most_tokens:,} tokens; {too_much}",
            hint=self._hint("tokens"),
        )

    @property
    def _whose(self) -> str:
        return "the run" if self._of is None else self._of

    def _hint(self, limited: Limited) -> str:
        if self._of is None:
            return _OF_RUN[limited]
        return f"Raise `{KEYS[limited]}` of {self._of} in its file, and start a new run."

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
