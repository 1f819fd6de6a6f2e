"""The attempts of a call as budgets count them: each maximum is computed from the request to be sent."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.errors import BudgetExceeded
from llm_orc.providers.base import Usage
from llm_orc.providers.limits.most import most_input_tokens, most_output_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llm_orc.agents.budgets.attempt import Spending
    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.path import AgentPath
    from llm_orc.providers.base import ModelRequest, Reply


def counted(
    request: ModelRequest, candidate: Candidate, agent: AgentPath, budgets: Sequence[Spending]
) -> ModelRequest:
    """Return the request with a permit for each of its attempts.

    If a budget limits the cost of a metered call, or the tokens of any, its answer gets a limit too. Raises
    `BudgetExceeded` if the maximum of an attempt is unknown.
    """
    limits_cost = candidate.is_metered and any(budget.limits_cost for budget in budgets)
    limits_tokens = any(budget.limits_tokens for budget in budgets)
    if limits_cost:
        _refuse_unknown_most(candidate, agent)
    if limits_tokens and candidate.unbounded is not None:
        raise BudgetExceeded(
            f"agent `{agent}` is not called, as its tokens are limited: {candidate.unbounded.because}",
            hint=candidate.unbounded.hint,
        )
    if limits_cost or limits_tokens:
        limit = request.max_tokens or most_output_tokens(request, candidate.model.name)
        request = replace(request, max_tokens=limit)
    permit = _Permit(candidate, agent, budgets, request, limits_cost=limits_cost, limits_tokens=limits_tokens)
    return replace(request, permit=permit)


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
    """Called with the size of the request."""

    __slots__ = ("_agent", "_budgets", "_candidate", "_limits_cost", "_limits_tokens", "_request")

    def __init__(
        self,
        candidate: Candidate,
        agent: AgentPath,
        budgets: Sequence[Spending],
        request: ModelRequest,
        *,
        limits_cost: bool,
        limits_tokens: bool,
    ) -> None:
        self._candidate, self._agent, self._budgets, self._request = candidate, agent, budgets, request
        self._limits_cost, self._limits_tokens = limits_cost, limits_tokens

    @asynccontextmanager
    async def __call__(self, size: int) -> AsyncIterator[_CountedAttempt]:
        candidate, request = self._candidate, self._request
        attempt = Attempt(
            self._agent,
            most_cost_usd(candidate, request, size) if self._limits_cost else 0.0,
            most_tokens(request, candidate.model.name, size) if self._limits_tokens else 0,
        )
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
        self._attempt.tokens = reply.usage.tokens


def most_tokens(request: ModelRequest, model: str, size: int) -> int:
    """Return the most tokens that one attempt of the request takes, sent as so many bytes."""
    return most_input_tokens(request, size, model) + most_output_tokens(request, model)


def most_cost_usd(candidate: Candidate, request: ModelRequest, size: int) -> float:
    """Return the maximum cost of one attempt of the request, sent as so many bytes.

    No cache hits are assumed; writing to a cache costs more with some providers.
    """
    name = candidate.model.name
    given, answer = most_input_tokens(request, size, name), most_output_tokens(request, name)
    usages = (Usage(given, answer), Usage(given, answer, cache_write_tokens=given))
    costs = [candidate.cost_usd(candidate.model.name, usage) for usage in usages]
    return max((cost for cost in costs if cost is not None), default=0.0)
