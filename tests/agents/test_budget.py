"""What a run may spend is never spent twice, whatever order its calls begin, fail and end in."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import Ceilings, Spent
from llm_orc.agents.path import AgentPath
from llm_orc.errors import BudgetExceeded, LlmOrcError, RateLimited, ReplyCut


async def send(budget: Budget, attempt: Attempt) -> None:
    await budget.count(attempt)
    attempt.is_sent = True


async def call(budget: Budget, most: float, cost: float | None = None, error: LlmOrcError | None = None) -> None:
    attempt = Attempt(AgentPath("a"), most)
    async with budget.reserve(attempt):
        await send(budget, attempt)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        attempt.cost_usd = cost


def billed(error: LlmOrcError) -> LlmOrcError:
    error.may_be_billed = True
    return error


async def test_a_call_is_settled_at_what_it_really_cost() -> None:
    budget = Budget(Ceilings(1.0))
    for _ in range(6):
        await call(budget, 0.5, 0.1)

    assert budget.spent_usd == pytest.approx(0.6)


async def test_what_does_not_fit_is_refused_with_the_figures() -> None:
    budget = Budget(Ceilings(1.0), Spent(0.75))

    with pytest.raises(BudgetExceeded, match=r"up to \$0\.5000; only \$0\.2500 of the \$1\.00") as caught:
        await call(budget, 0.5, 0.1)
    assert "--max-cost" in (caught.value.hint or "")
    assert budget.spent_usd == 0.75


async def test_what_never_fitted_is_said_to_be_more_than_the_limit() -> None:
    with pytest.raises(
        BudgetExceeded, match=r"up to \$0\.5000; that is more than the \$0\.40 that the run may cost"
    ):
        await call(Budget(Ceilings(0.4)), 0.5, 0.1)


async def test_a_call_waits_while_another_may_leave_enough() -> None:
    budget = Budget(Ceilings(1.0))

    await asyncio.gather(*(call(budget, 0.6, 0.1) for _ in range(5)))

    assert budget.spent_usd == pytest.approx(0.5)


async def test_an_error_that_nobody_bills_gives_it_back_and_any_other_counts() -> None:
    budget = Budget(Ceilings(1.0))

    with pytest.raises(RateLimited):
        await call(budget, 0.4, error=RateLimited("no"))
    assert budget.spent_usd == 0
    with pytest.raises(ReplyCut):
        await call(budget, 0.4, error=billed(ReplyCut("gone")))
    assert budget.spent_usd == 0.4


async def test_a_cancelled_call_counts_and_does_not_block_the_others() -> None:
    budget = Budget(Ceilings(1.0))
    started = asyncio.Event()

    async def hang() -> None:
        attempt = Attempt(AgentPath("a"), 0.7)
        async with budget.reserve(attempt):
            await send(budget, attempt)
            started.set()
            await asyncio.Event().wait()

    hanging = asyncio.ensure_future(hang())
    await started.wait()
    waiting = asyncio.ensure_future(call(budget, 0.3, 0.3))
    second = asyncio.ensure_future(call(budget, 0.3, 0.3))
    hanging.cancel()
    outcomes = await asyncio.gather(hanging, waiting, second, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, type(None), BudgetExceeded]
    assert budget.spent_usd == pytest.approx(1.0)


CALL = st.tuples(
    st.floats(0.01, 0.6),  # the most
    st.floats(0, 1),  # what part of it the call costs
    st.sampled_from(["ends", "unknown", "unbilled", "cut", "cancelled"]),
    st.integers(0, 3),  # how long it takes
)


@given(limit=st.floats(0.1, 2.0), calls=st.lists(CALL, max_size=25))
async def test_no_interleaving_brings_a_run_above_its_limit(
    limit: float, calls: list[tuple[float, float, str, int]]
) -> None:
    budget = Budget(Ceilings(limit))

    async def one(most: float, part: float, end: str, turns: int) -> None:
        attempt = Attempt(AgentPath("a"), most)
        async with budget.reserve(attempt):
            await send(budget, attempt)
            for _ in range(turns):
                await asyncio.sleep(0)
            if end == "unbilled":
                raise RateLimited("no")
            if end == "cut":
                raise billed(ReplyCut("gone"))
            attempt.cost_usd = None if end == "unknown" else most * part

    tasks = [asyncio.ensure_future(one(*each)) for each in calls]
    await asyncio.sleep(0)
    for task, (_, _, end, _) in zip(tasks, calls, strict=True):
        if end == "cancelled":
            task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks, return_exceptions=True)

    assert budget.spent_usd <= limit + 1e-6
