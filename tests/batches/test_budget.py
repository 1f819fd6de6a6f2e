"""The budgets of a batch and its rows: counted in the store before a call is sent, by any worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.budgets.ceilings import Ceilings, Most
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.uses.limits import Bound
from llm_orc.batches.batch import BatchLimits, NewBatch, NewRow
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import BATCHES, ROWS, WORKERS
from llm_orc.batches.workers.spending.account import BatchAccount
from llm_orc.batches.workers.spending.reservations import RowCall, reserve, settle
from llm_orc.batches.workers.spending.row_budget import RowBudget
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import BatchBudgetExceeded, BudgetExceeded, RateLimited
from llm_orc.runs.recipe import Recipe
from llm_orc.runs.spend import Spend

RECIPE = Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (ModelChoice("p", "m", "ensemble"),)})
BATCH = NewBatch("b1", RECIPE, "", 0.0, 3)
ROWS_OF_IT = [NewRow(number, number, f"row {number}") for number in (1, 2, 3)]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_engine(parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path))
    yield engine
    engine.dispose()


def submit(engine: sa.Engine, limits: BatchLimits) -> None:
    BatchStore(engine).submit(replace(BATCH, limits=limits), ROWS_OF_IT, lambda *_: None, 0.0)


def joined(engine: sa.Engine, worker_id: str, limits: BatchLimits) -> BatchAccount:
    """Return the account of a worker that has just joined."""
    worker = {"host": "h", "pid": 1, "started_at": 0.0, "seen_at": 0.0, "lock_key": 1}
    with engine.begin() as connection:
        connection.execute(sa.insert(WORKERS).values(worker_id=worker_id, **worker))
    return BatchAccount(engine, worker_id, "b1", limits)


def of_row(number: int, most_usd: float) -> RowCall:
    return RowCall(number, Attempt(AgentPath("a"), most_usd))


async def at_once() -> None:
    """Hold no call back."""


@asynccontextmanager
async def holding(account: BatchAccount, row: int, most_usd: float, agent: str) -> AsyncIterator[Attempt]:
    """Reserve the most that a try can cost, and send it."""
    budget, attempt = RowBudget(account, row, at_once), Attempt(AgentPath(agent), most_usd)
    async with budget.reserve(attempt):
        await budget.count(attempt)
        attempt.is_sent = True
        yield attempt


def counted(engine: sa.Engine, column: sa.Column[float]) -> float:
    with engine.connect() as connection:
        found: float = connection.execute(sa.select(column)).scalars().first() or 0
    return found


@pytest.mark.parametrize("most", [1, 7, 100, 1000])
async def test_two_workers_make_just_as_many_calls_as_the_batch_may(engine: sa.Engine, most: int) -> None:
    limits = BatchLimits(max_calls=most)
    submit(engine, limits)
    accounts = [joined(engine, worker, limits) for worker in ("w1", "w2")]
    made = 0

    async def call_until_refused(account: BatchAccount) -> None:
        nonlocal made
        while True:
            await account.count_call(1, "agent `a`")
            made += 1

    for done in await asyncio.gather(*map(call_until_refused, accounts), return_exceptions=True):
        assert isinstance(done, BatchBudgetExceeded)
    assert made == most


async def test_calls_that_were_counted_and_not_made_are_given_back(engine: sa.Engine) -> None:
    submit(engine, BatchLimits())
    account = joined(engine, "w1", BatchLimits())
    for _ in range(3):
        await account.count_call(1, "agent `a`")

    await account.give_back()

    assert counted(engine, BATCHES.c.calls) == 3


async def test_a_row_makes_no_more_calls_than_one_run_may_and_another_row_has_its_own(engine: sa.Engine) -> None:
    limits = BatchLimits(row_max_calls=2)
    submit(engine, limits)
    first, second = joined(engine, "w1", limits), joined(engine, "w2", limits)
    await first.count_call(1, "agent `a`")
    await second.count_call(1, "agent `b`")

    with pytest.raises(BudgetExceeded, match="the row has made all 2 calls") as refused:
        await first.count_call(1, "agent `c`")

    assert not isinstance(refused.value, BatchBudgetExceeded)
    await first.count_call(2, "agent `a`")
    await first.give_back()
    await second.give_back()
    assert counted(engine, BATCHES.c.calls) == 3


async def test_a_call_waits_while_others_may_cost_less_than_is_reserved(engine: sa.Engine) -> None:
    limits = BatchLimits(max_cost_usd=1.0)
    submit(engine, limits)
    account = joined(engine, "w1", limits)
    order = []

    async def second() -> None:
        async with holding(account, 2, 0.6, "b") as held:
            order.append("second starts")
            held.cost_usd = 0.2

    async with asyncio.TaskGroup() as tasks, holding(account, 1, 0.8, "a") as held:
        tasks.create_task(second())
        await asyncio.sleep(0.3)
        order.append("first ends")
        held.cost_usd = 0.1

    assert order == ["first ends", "second starts"]
    assert counted(engine, BATCHES.c.spent_usd) == pytest.approx(0.3)


async def test_a_call_that_cannot_fit_any_more_is_refused_at_once(engine: sa.Engine) -> None:
    limits = BatchLimits(max_cost_usd=1.0, row_max_cost_usd=0.5)
    submit(engine, limits)
    account = joined(engine, "w1", limits)
    for row in (1, 2):
        async with holding(account, row, 0.4, "a") as held:
            held.cost_usd = 0.4

    with pytest.raises(BudgetExceeded, match="exceeds the row's limit") as of_row:
        async with holding(account, 1, 0.2, "b"):
            pass
    with pytest.raises(BatchBudgetExceeded, match="exceeds the batch's limit"):
        async with holding(account, 3, 0.3, "a"):
            pass
    assert not isinstance(of_row.value, BatchBudgetExceeded)


async def test_what_a_killed_worker_had_reserved_is_spent(engine: sa.Engine) -> None:
    limits = BatchLimits(max_cost_usd=1.0)
    submit(engine, limits)
    killed, other = joined(engine, "w1", limits), joined(engine, "w2", limits)
    reserve(killed, "one", of_row(1, 0.8))
    with engine.begin() as connection:
        connection.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id == "w1"))

    with pytest.raises(BatchBudgetExceeded):
        reserve(other, "two", of_row(2, 0.3))

    assert reserve(other, "two", of_row(2, 0.2))


async def test_a_call_that_nobody_bills_and_one_that_is_settled_twice_count_once(engine: sa.Engine) -> None:
    limits = BatchLimits(max_cost_usd=1.0)
    submit(engine, limits)
    account = joined(engine, "w1", limits)
    with pytest.raises(RateLimited):
        async with holding(account, 1, 0.9, "a"):
            raise RateLimited("busy")
    call = of_row(1, 0.9)
    reserve(account, "one", call)

    settle(account, "one", call, 0.3, 0)
    settle(account, "one", call, 0.3, 0)

    assert counted(engine, BATCHES.c.spent_usd) == counted(engine, ROWS.c.spent_usd) == pytest.approx(0.3)


async def test_a_limit_that_comes_later_counts_calls_of_unknown_cost_at_their_most(engine: sa.Engine) -> None:
    submit(engine, BatchLimits())
    known, unknown = Spend(2, cost_usd=0.2, known_cost_usd=0.2), Spend(3, cost_usd=None, unknown_costs=3)
    for number, spend in ((1, known), (2, unknown)):
        with engine.begin() as connection:
            ended = sa.update(ROWS).where(ROWS.c.number == number)
            connection.execute(ended.values(spend=msgspec.json.encode({"metered": spend})))

    BatchStore(engine).change("b1", RECIPE, BatchLimits(max_cost_usd=1.0), most=Most(0.1))

    assert counted(engine, BATCHES.c.spent_usd) == pytest.approx(0.5)


async def test_tokens_are_reserved_and_settled_as_money_is(engine: sa.Engine) -> None:
    limits = BatchLimits(max_total_tokens=1000, row_max_total_tokens=600)
    submit(engine, limits)
    account = joined(engine, "w1", limits)

    def call(number: int, tokens: int) -> RowCall:
        return RowCall(number, Attempt(AgentPath("a"), most_tokens=tokens))

    assert reserve(account, "one", call(1, 500))
    assert not reserve(account, "two", call(1, 200)), "the call in progress may leave enough"
    settle(account, "one", call(1, 500), 0.0, 450)
    with pytest.raises(
        BudgetExceeded, match=r"up to 200 tokens, which exceeds the row's limit \(`max_total_tokens`"
    ):
        reserve(account, "two", call(1, 200))
    with pytest.raises(BatchBudgetExceeded, match=r"exceeds the batch's limit \(`--max-total-tokens`\)"):
        reserve(account, "three", call(2, 600))

    assert counted(engine, BATCHES.c.tokens) == counted(engine, ROWS.c.tokens) == 450


JUDGED = Bound(AgentPath("loop"), Ceilings(max_cost_usd=1.0, max_calls=2), "agent `loop`")


async def test_limits_within_a_row_hold_over_workers_that_come_and_go_and_for_each_row(engine: sa.Engine) -> None:
    limits = BatchLimits()
    submit(engine, limits)
    killed, other = joined(engine, "w1", limits), joined(engine, "w2", limits)

    def call(number: int, usd: float, path: str = "loop[1]/judge") -> RowCall:
        return RowCall(number, Attempt(AgentPath(path), usd), [JUDGED])

    reserve(killed, "one", call(1, 0.8, "loop[0]/judge"))
    with engine.begin() as connection:
        connection.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id == "w1"))
    with pytest.raises(BudgetExceeded, match=r"exceeds the limit of agent `loop` \(`max_cost`\)") as refused:
        reserve(other, "two", call(1, 0.3))
    assert (refused.value.hint or "").startswith("Raise `max_cost` of agent `loop` in its file, give the batch")
    assert reserve(other, "two", call(1, 0.2))
    assert reserve(other, "three", call(2, 0.9))

    for account in (other, joined(engine, "w3", limits)):
        await account.count_call(1, "agent `loop[0]/judge`", [JUDGED])
    with pytest.raises(BudgetExceeded, match="agent `loop` has made all 2 calls"):
        await other.count_call(1, "agent `loop[1]/judge`", [JUDGED])
    await other.count_call(2, "agent `loop[0]/judge`", [JUDGED])


async def test_a_row_that_is_retried_begins_to_count_anew(engine: sa.Engine) -> None:
    submit(engine, BatchLimits())
    account, once = joined(engine, "w1", BatchLimits()), replace(JUDGED, ceilings=Ceilings(max_calls=1))
    await account.count_call(1, "agent `loop[0]/judge`", [once])
    with engine.begin() as connection:
        connection.execute(sa.update(ROWS).where(ROWS.c.number == 1).values(state="failed"))

    BatchStore(engine).retry_failed("b1", lambda *_: None)

    await account.count_call(1, "agent `loop[0]/judge`", [once])
    with pytest.raises(BudgetExceeded):
        await account.count_call(1, "agent `loop[1]/judge`", [once])


async def test_a_limit_of_tokens_that_comes_later_counts_what_is_known_and_the_rest_at_its_most(
    engine: sa.Engine,
) -> None:
    submit(engine, BatchLimits())
    spend = Spend(3, 100, 20, calls_without_usage=1, unanswered=1, cost_usd=None)
    with engine.begin() as connection:
        ended = sa.update(ROWS).where(ROWS.c.number == 1)
        connection.execute(ended.values(spend=msgspec.json.encode({"metered": spend})))

    BatchStore(engine).change("b1", RECIPE, BatchLimits(max_total_tokens=9999), most=Most(tokens=1000))

    assert counted(engine, BATCHES.c.tokens) == 2120
