"""`runs.max_cost_per_day`: one limit over all runs, chats, batches and processes of a user."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.path import AgentPath
from llm_orc.app.access.bills.day_ledger import (
    DayLedger,
    DaySpending,
    Refused,
    Reserve,
    Settle,
    spending_of_today,
)
from llm_orc.app.runs.limits.day_budget import DayBudget
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.errors import RateLimited, SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run
from tests.examples import many
from tests.fakes.paid_server import PROVIDERS, Fault, PaidServer

NOON = datetime(2026, 11, 28, 12).astimezone().timestamp()
A_DAY_S = 86_400.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spending.sqlite"


def ledger(file: Path, now: float = NOON) -> DayLedger:
    return DayLedger(file, lambda: now)


def reserve(of: DayLedger, usd: float, limit_usd: float = 1.0) -> int | Refused:
    (outcome,) = of.apply([Reserve(usd, limit_usd)])
    assert outcome is not None
    return outcome


def test_processes_share_what_a_day_may_cost_and_settle_by_what_a_call_has_cost(file: Path) -> None:
    one, other = ledger(file), ledger(file)
    first = reserve(one, 0.8)
    assert isinstance(first, int)

    assert reserve(other, 0.3) == Refused(DaySpending("2026-11-28", 0.0, 0.8), may_fit_later=True)
    one.apply([Settle(first, 0.5), Settle(first, 0.5)])
    assert isinstance(reserve(other, 0.3), int)
    refused = reserve(one, 0.6)

    assert refused == Refused(DaySpending("2026-11-28", 0.5, 0.3), may_fit_later=False)
    assert spending_of_today(file, NOON).counted_usd == pytest.approx(0.8)


def test_another_day_begins_at_zero_and_a_call_counts_for_the_day_on_which_it_began(file: Path) -> None:
    today, tomorrow = ledger(file), ledger(file, NOON + A_DAY_S)
    late = reserve(today, 0.9)
    assert isinstance(late, int)

    assert isinstance(reserve(tomorrow, 0.9), int)
    today.apply([Settle(late, 0.7)])

    assert spending_of_today(file, NOON) == DaySpending("2026-11-28", 0.7, 0.0)
    assert spending_of_today(file, NOON + A_DAY_S) == DaySpending("2026-11-29", 0.0, 0.9)


def test_what_a_process_had_reserved_that_is_gone_is_spent(file: Path) -> None:
    gone, living = ledger(file), ledger(file)
    reserve(gone, 0.8)
    reserve(living, 0.1)
    gone.close()

    assert reserve(ledger(file), 0.3) == Refused(DaySpending("2026-11-28", 0.8, 0.1), may_fit_later=False)
    assert isinstance(reserve(ledger(file), 0.1), int)


def test_so_is_what_one_had_reserved_that_was_killed(file: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from llm_orc.app.access.bills.day_ledger import DayLedger, Reserve\n"
        f"DayLedger(Path(sys.argv[1]), lambda: {NOON}).apply([Reserve(0.8, 1.0)])\n"
        "os.kill(os.getpid(), 9) if os.name == 'posix' else os._exit(1)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(file)], check=False).returncode != 0

    refused = reserve(ledger(file), 0.3)

    assert refused == Refused(DaySpending("2026-11-28", 0.8, 0.0), may_fit_later=False)
    assert not list((file.parent / "spending").glob("*.lock"))[1:], "that of the dead is removed"


def test_looking_makes_no_file(file: Path) -> None:
    assert spending_of_today(file, NOON) == DaySpending("2026-11-28")
    assert not file.exists()


async def call(budget: DayBudget, most: float, cost: float | None, error: Exception | None = None) -> None:
    attempt = Attempt(AgentPath("a"), most)
    async with budget.reserve(attempt):
        attempt.is_sent = True
        await asyncio.sleep(0)
        if error is not None:
            raise error
        attempt.cost_usd = cost


async def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing_reserved(file: Path) -> None:
    of = ledger(file)
    budget = DayBudget(of, 1.0)
    waiting = asyncio.ensure_future(call(budget, 0.4, 0.1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await budget.close()
    of.close()

    assert spending_of_today(file, NOON).counted_usd == 0


ENDS = st.sampled_from(["ends", "unknown", "unbilled", "cut", "cancelled"])


@settings(max_examples=many(25), deadline=None)
@given(
    limit=st.floats(0.1, 2.0),
    calls=st.lists(st.tuples(st.floats(0.01, 0.6), st.floats(0, 1), ENDS, st.integers(0, 2)), max_size=12),
)
async def test_no_interleaving_of_processes_brings_a_day_above_its_limit(
    tmp_path_factory: pytest.TempPathFactory, limit: float, calls: list[tuple[float, float, str, int]]
) -> None:
    file = tmp_path_factory.mktemp("day") / "spending.sqlite"
    ledgers = [ledger(file) for _ in range(3)]
    budgets = [DayBudget(one, limit) for one in ledgers]
    billed = 0.0

    async def one(most: float, part: float, end: str, process: int) -> None:
        nonlocal billed
        attempt = Attempt(AgentPath("a"), most)
        async with budgets[process].reserve(attempt):
            attempt.is_sent = True
            billed += most * part if end == "ends" else 0.0 if end == "unbilled" else most
            if end == "unbilled":
                raise RateLimited("no")
            if end == "cancelled":
                raise asyncio.CancelledError
            if end == "cut":
                raise RuntimeError
            attempt.cost_usd = None if end == "unknown" else most * part

    await asyncio.gather(*(one(*each) for each in calls), return_exceptions=True)
    for budget, of in zip(budgets, ledgers, strict=True):
        await budget.close()
        of.close()

    counted = spending_of_today(file, NOON)
    assert billed <= limit + 1e-6
    assert counted.counted_usd == pytest.approx(billed)
    assert counted.reserved_usd == 0


MAX_TOKENS = 1000
ONE_CALL_USD = 0.02


@pytest.fixture
async def server() -> AsyncIterator[PaidServer]:
    async with PaidServer() as server:
        yield server


def paid(name: str, **more: object) -> dict[str, object]:
    provider, model, _ = PROVIDERS["anthropic"]
    return {"name": name, "provider": provider, "model": model, "max_tokens": MAX_TOKENS, **more}


@pytest.fixture
def place(workspace: Workspace, server: PaidServer) -> Workspace:
    workspace.settings(server.settings(max_retries=1, max_cost_per_day=3 * ONE_CALL_USD))
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    return workspace


@pytest.mark.parametrize("fault", ["no usage", "cut"])
async def test_all_runs_of_a_day_together_cost_no_more(place: Workspace, server: PaidServer, fault: Fault) -> None:
    server.faults = [fault]
    place.ensemble("two", paid("a"), paid("b"))

    results = [(await run(place.app(), "two"))[0] for _ in range(3)]
    last = await resume_run(place.app(), ResumeOptions("last"))

    assert server.bill_usd <= 3 * ONE_CALL_USD
    assert len(server.bills) == 3
    error = last["b"].error
    assert error is not None
    assert error.code == "daily_budget_exceeded"
    assert error.message.startswith("agent `b` may cost up to $0.01")
    assert "of the $0.06 that all runs of a day may cost (`runs.max_cost_per_day`) are spent" in error.message
    assert error.hint == "Go on tomorrow, or allow more: `llm-orc config set runs.max_cost_per_day USD`."
    assert {agent.error.code for agent in results[-1].agents if agent.error} == {"daily_budget_exceeded"}


async def test_a_price_that_is_not_known_is_refused_under_it(place: Workspace, server: PaidServer) -> None:
    place.ensemble("one", paid("a", model="unheard-of"))

    with pytest.raises(SettingsError, match=r"the price of .* so `runs.max_cost_per_day` can't be kept"):
        await run(place.app(), "one")
    assert server.bills == []


async def test_what_is_free_neither_counts_nor_needs_a_price(workspace: Workspace) -> None:
    async with Sandbox() as sandbox:
        workspace.settings(on_sandbox(sandbox, runs={"max_cost_per_day": 0}))
        workspace.ensemble("one", local("a"))

        result, _ = await run(workspace.app(), "one")

    assert result.status == "completed"
    assert not workspace.app().paths.spending_database.exists()


async def test_a_project_neither_sets_nor_lifts_it(place: Workspace) -> None:
    place.write("work/project/.llm-orc/config.yaml", {"runs": {"max_cost_per_day": 9}})

    settings = place.app().settings

    assert settings.runs.max_cost_per_day_usd == pytest.approx(3 * ONE_CALL_USD)
    assert any("only has an effect in your own config.yaml" in one.message for one in settings.notices)
