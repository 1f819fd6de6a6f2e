"""The attempts of a call as budgets count them: each maximum is computed from the request to be sent."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.budget import Attempt
from llm_orc.errors import BudgetExceeded
from llm_orc.providers.base import Usage
from llm_orc.providers.limits.most import most_input_tokens, most_output_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llm_orc.agents.budget import Spending
    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.path import AgentPath
    from llm_orc.providers.base import ModelRequest, Reply


def counted(
    request: ModelRequest, candidate: Candidate, agent: AgentPath, budgets: Sequence[Spending]
) -> ModelRequest:
    """Return the request with a permit for each of its attempts.

    If a budget limits the cost of a metered call, its answer gets a limit too. Raises `BudgetExceeded` if the
    maximum cost of an attempt is unknown.
    """
    if not candidate.is_metered or not any(budget.limits_cost for budget in budgets):
        return replace(request, permit=_Permit(candidate, agent, budgets, None))
    _refuse_unknown_most(candidate, agent)
    request = replace(request, max_tokens=request.max_tokens or most_output_tokens(request, candidate.model.name))
    return replace(request, permit=_Permit(candidate, agent, budgets, request))


def _refuse_unknown_most(candidate: Candidate, agent: AgentPath) -> None:
    name = candidate.model.name
    if candidate.unpriced_options:
        options = ", ".join(f"`{option}`" for option in candidate.unpriced_options)
        raise BudgetExceeded(
            f"agent `{agent}` is not called: its possible cost with {options} in its `options` is unknown",
            hint="Remove them from `options`, or run without `--max-cost`.",
        )
    if candidate.cost_usd(name, Usage(1, 1)) is None:
        raise BudgetExceeded(
            f"agent `{agent}` is not called: the price of `{name}` is unknown",
            hint="Give it in a profile (`cost_per_token`, US dollars), or run without `--max-cost`.",
        )


class _Permit:
    """Called with the size of the request. `priced` None: it costs nothing, or the cost is not limited."""

    __slots__ = ("_agent", "_budgets", "_candidate", "_priced")

    def __init__(
        self, candidate: Candidate, agent: AgentPath, budgets: Sequence[Spending], priced: ModelRequest | None
    ) -> None:
        self._candidate, self._agent, self._budgets, self._priced = candidate, agent, budgets, priced

    @asynccontextmanager
    async def __call__(self, size: int) -> AsyncIterator[_CountedAttempt]:
        most_usd = 0.0 if self._priced is None else most_cost_usd(self._candidate, self._priced, size)
        attempt = Attempt(self._agent, most_usd)
        async with AsyncExitStack() as stack:
            for budget in self._budgets:
                await stack.enter_async_context(budget.reserve(attempt))
            yield _CountedAttempt(attempt, self._candidate, self._budgets)


class _CountedAttempt:
    """See `providers.base.PermittedAttempt`."""

    __slots__ = ("_attempt", "_budgets", "_candidate")

    def __init__(self, attempt: Attempt, candidate: Candidate, budgets: Sequence[Spending]) -> None:
        self._attempt, self._candidate, self._budgets = attempt, candidate, budgets

    async def before_send(self) -> None:
        for budget in self._budgets:
            await budget.count(self._attempt)
        self._attempt.is_sent = True

    def answered(self, reply: Reply) -> None:
        self._attempt.cost_usd = self._candidate.cost_usd(reply.model, reply.usage)


def most_cost_usd(candidate: Candidate, request: ModelRequest, size: int) -> float:
    """Return the maximum cost of one attempt of the request, sent as so many bytes.

    No cache hits are assumed; writing to a cache costs more with some providers.
    """
    name = candidate.model.name
    given, answer = most_input_tokens(request, size, name), most_output_tokens(request, name)
    usages = (Usage(given, answer), Usage(given, answer, cache_write_tokens=given))
    costs = [candidate.cost_usd(candidate.model.name, usage) for usage in usages]
    return max((cost for cost in costs if cost is not None), default=0.0)
