"""A batch's budget holds for what its provider could bill, over all workers, however calls end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.batches.batch import BatchLimits, NewBatch, NewRow
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import BATCHES, RESERVATIONS
from llm_orc.batches.workers.spending.account import BatchAccount
from llm_orc.batches.workers.spending.row_budget import RowBudget
from llm_orc.batches.workers.steps.sinks import StepObserver
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import LlmOrcError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Usage
from llm_orc.providers.dialects.anthropic import Anthropic
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model import HttpModel
from llm_orc.providers.prices import listed_usd
from llm_orc.providers.retries import Retries
from llm_orc.runs.recipe import Recipe
from tests.batches.test_budget import at_once as not_held_back
from tests.batches.test_budget import joined
from tests.fakes.clocks import SetClock
from tests.fakes.paid_server import FAULTS, PROVIDERS, Fault, PaidServer

PROVIDER, MODEL, _ = PROVIDERS["anthropic"]
CHOICE = ModelChoice(PROVIDER, MODEL, "user", max_tokens=2000, timeout_s=2.0)
RECIPE = Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (CHOICE,)})
ROWS = [NewRow(number, number, f"row {number}") for number in range(1, 7)]
ACCESS = Access(PROVIDER, "api-key", Billing.METERED, "a key", "http://127.0.0.1")


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


def caller(server: PaidServer, http: Http) -> LlmCaller:
    endpoint = Endpoint(PROVIDER, "anthropic", server.url, server.url)
    key = ApiKeyHeader(server.url, "x-key", Secret("k"), "")
    model = HttpModel(endpoint, MODEL, Anthropic(), key, http, retries=Retries(2, at_once))

    def cost_usd(_model: str, usage: Usage) -> float | None:
        return listed_usd(PROVIDER, MODEL, usage)

    return LlmCaller({"a": [Candidate(CHOICE, model, ACCESS, cost_usd)]})


def counted_usd(engine: sa.Engine) -> float:
    """Return what is spent, and what the dead have left put aside."""
    with engine.connect() as connection:
        spent: float = connection.execute(sa.select(BATCHES.c.spent_usd)).scalar_one()
        held: float = connection.execute(
            sa.select(sa.func.coalesce(sa.func.sum(RESERVATIONS.c.usd), 0.0))
        ).scalar_one()
    return spent + held


async def work(server: PaidServer, account: BatchAccount, http: Http, kill_at: int | None) -> None:
    """Call the agent of every row, in a worker that is gone after `kill_at` requests."""
    requests = 0

    def billed(_usd: float) -> None:
        nonlocal requests
        requests += 1
        if requests == kill_at:
            asking.cancel()

    server.billed = billed
    calls = caller(server, http)

    async def one(number: int) -> None:
        with suppress(LlmOrcError):
            turn = AgentTurn(
                AgentPath("a"), AgentSpec("a"), f"row {number}", StepObserver(AgentPath("a"), "model", SetClock())
            )
            await calls.with_budgets([RowBudget(account, number, not_held_back)])(turn)

    asking = asyncio.gather(*(one(row.number) for row in ROWS))
    with suppress(asyncio.CancelledError):
        await asking
    await account.give_back()


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    limits=st.builds(
        BatchLimits,
        max_cost_usd=st.floats(0.0, 0.3),
        max_calls=st.none() | st.integers(0, 12),
        row_max_cost_usd=st.none() | st.floats(0.0, 0.1),
    ),
    faults=st.lists(st.sampled_from([fault for fault in FAULTS if fault != "silence"]), min_size=1, max_size=8),
    kills=st.lists(st.none() | st.integers(1, 4), min_size=1, max_size=3),
)
async def test_no_faults_and_dead_workers_bring_a_bill_above_its_limit(
    limits: BatchLimits, faults: Sequence[Fault], kills: Sequence[int | None]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(parse_store_url(str(Path(folder) / "batches.sqlite"), Path(folder)))
        try:
            BatchStore(engine).submit(
                NewBatch("b1", RECIPE, "", 0.0, len(ROWS), limits), ROWS, lambda *_: None, 0.0
            )
            async with (
                PaidServer([*faults]) as server,
                Http(NetworkSettings(idle_timeout_s=1.0), max_connections=10) as http,
            ):
                for number, kill_at in enumerate(kills):
                    await work(server, joined(engine, f"w{number}", limits), http, kill_at)
                    assert server.bill_usd <= counted_usd(engine) + 1e-9 <= (limits.max_cost_usd or 0.0) + 1e-6
                    assert limits.max_calls is None or len(server.bills) <= limits.max_calls
        finally:
            engine.dispose()
