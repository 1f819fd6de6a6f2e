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

from llm_orc.agents.budget import Attempt
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.batches.batch import BatchLimits, NewBatch, NewRow
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import BATCHES, ROWS, WORKERS
from llm_orc.batches.workers.budget import BatchAccount
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


async def at_once() -> None:
    """Hold no call back."""


@asynccontextmanager
async def holding(account: BatchAccount, row: int, most_usd: float, agent: str) -> AsyncIterator[Attempt]:
    """Reserve the most that a try can cost, and send it."""
    budget, attempt = account.of_row(row, at_once), Attempt(AgentPath(agent), most_usd)
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
    await killed.reserve(1, 0.8, "agent `a`")
    with engine.begin() as connection:
        connection.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id == "w1"))

    with pytest.raises(BatchBudgetExceeded):
        await other.reserve(2, 0.3, "agent `a`")

    await other.reserve(2, 0.2, "agent `a`")


async def test_a_call_that_nobody_bills_and_one_that_is_settled_twice_count_once(engine: sa.Engine) -> None:
    limits = BatchLimits(max_cost_usd=1.0)
    submit(engine, limits)
    account = joined(engine, "w1", limits)
    with pytest.raises(RateLimited):
        async with holding(account, 1, 0.9, "a"):
            raise RateLimited("busy")
    hold = await account.reserve(1, 0.9, "agent `a`")

    account.settle(hold, 1, 0.3)
    account.settle(hold, 1, 0.3)

    assert counted(engine, BATCHES.c.spent_usd) == counted(engine, ROWS.c.spent_usd) == pytest.approx(0.3)


async def test_a_limit_that_comes_later_counts_calls_of_unknown_cost_at_their_most(engine: sa.Engine) -> None:
    submit(engine, BatchLimits())
    known, unknown = Spend(2, cost_usd=0.2, known_cost_usd=0.2), Spend(3, cost_usd=None, unknown_costs=3)
    for number, spend in ((1, known), (2, unknown)):
        with engine.begin() as connection:
            ended = sa.update(ROWS).where(ROWS.c.number == number)
            connection.execute(ended.values(spend=msgspec.json.encode({"metered": spend})))

    BatchStore(engine).change("b1", RECIPE, BatchLimits(max_cost_usd=1.0), most_usd=0.1)

    assert counted(engine, BATCHES.c.spent_usd) == pytest.approx(0.5)
