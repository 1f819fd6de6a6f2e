"""One attempt of a call as budgets see it, and what a budget is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.path import AgentPath
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager


@dataclass(slots=True)
class Attempt:
    """One attempt of a call.

    `most_usd` is 0 if it costs nothing, or if the cost is not limited; `most_tokens`, of input and output, if they
    are not.
    """

    agent: AgentPath
    most_usd: float = 0.0
    most_tokens: int = 0
    is_sent: bool = False  # from here on it may be billed
    cost_usd: float | None = None  # None: unknown (so far)
    tokens: int | None = None  # likewise
    number: int = 0  # its number in the run record; 0: not recorded

    @property
    def what(self) -> str:
        return f"agent `{self.agent}`"

    @property
    def reserves(self) -> bool:
        """Whether anything has to be reserved for it."""
        return self.most_usd > 0 or self.most_tokens > 0

    def counts_usd(self, error: BaseException | None) -> float:
        """Return what the attempt counts after its end, with `error` if it failed: its cost, else its maximum.

        0 if it was not sent, or is certainly not billed.
        """
        if self.cost_usd is not None:
            return self.cost_usd
        return self.most_usd if self._may_count(error) else 0.0

    def counts_tokens(self, error: BaseException | None) -> int:
        """Return how many tokens the attempt counts, in the same way."""
        if self.tokens is not None:
            return self.tokens
        return self.most_tokens if self._may_count(error) else 0

    def _may_count(self, error: BaseException | None) -> bool:
        is_unbilled = isinstance(error, LlmOrcError) and not error.may_be_billed
        return self.is_sent and not is_unbilled


@asynccontextmanager
async def settled(attempt: Attempt, settle: Callable[[float, int], Awaitable[None]]) -> AsyncIterator[None]:
    """Await `settle` with the dollars and tokens that the attempt counts, once it has ended, however it ended."""
    error: BaseException | None = None
    try:
        yield
    except BaseException as e:
        error = e
        raise
    finally:
        await settle(attempt.counts_usd(error), attempt.counts_tokens(error))


class Spending(Protocol):
    """The budget interface: a run's own budget, or that of a batch, which many processes share."""

    @property
    def limits_cost(self) -> bool:
        """False: no price needs to be known."""
        ...

    @property
    def limits_tokens(self) -> bool:
        """False: how many tokens a call may take needs not be known."""
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

    def ended(self, attempt: Attempt, counts_usd: float, counts_tokens: int) -> None: ...
