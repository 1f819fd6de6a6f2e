"""The cost of durable rows: `python -m benchmarks.batches [ROWS…]`; fresh processes, agents that answer at once.

Four agents per row, 2 kB per answer. If PostgreSQL is installed, a server of its own is measured too.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.batches.postgres import Postgres, find_programs

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import BatchLimits, NewBatch, NewRow, batch_id_of
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.workers.queues import enqueue_row, open_queue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.spending.account import BatchAccount
from llm_orc.batches.workers.spending.row_budget import RowBudget
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.batches.workers.stoppable import BeforeSend

AGENTS = 4
ANSWER = "x" * 2_000
ACCESS = Access("none", "none", Billing.LOCAL, "none", "http://127.0.0.1")
CHOICE = ModelChoice("none", "none", "ensemble")
RECIPE = Recipe(
    Ensemble("durable", tuple(AgentSpec(f"a{n}") for n in range(AGENTS))),
    "",
    {f"a{n}": (CHOICE,) for n in range(AGENTS)},
)


async def carry_out(url: str, number: int) -> dict[str, float]:
    store_url = parse_store_url(url, Path())
    rows = [NewRow(n, n, f"row {n}") for n in range(1, number + 1)]
    name = batch_id_of(RECIPE, rows)

    async def make_caller(_id: str, row: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
        async def call(turn: AgentTurn) -> AgentOutput:
            turn.observer.calling("none", ACCESS)
            await RowBudget(account, row, before_send).count(Attempt(AgentPath(turn.agent.name), 0.0))
            return AgentOutput(ANSWER, (ModelCall("none", ACCESS),))

        return call

    with WorkerStore(store_url) as store:
        account = BatchAccount(store.engine, store.worker_id, name, BatchLimits())
        async with Worker(store, RowExecutor(store, make_caller, SystemClock(), only=[name])):
            began, cpu = time.monotonic(), time.process_time()
            await asyncio.to_thread(open_queue, store.client, name, 32)
            new = NewBatch(name, RECIPE, "", 0.0, number)
            await asyncio.to_thread(store.batches.submit, new, rows, partial(enqueue_row, store.client), 0.0)
            queued = time.monotonic() - began
            # Another thread changes the condition.
            while (batch := await asyncio.to_thread(store.batches.batch, name)) and batch.waiting:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    size = (
        sum(p.stat().st_size for p in store_url.path.parent.glob(f"{store_url.path.name}*"))
        if store_url.path
        else 0
    )
    return {
        "rows": number,
        "queued a second": number / queued,
        "rows a second": number / seconds,
        "CPU ms an agent": 1000 * cpu / number / AGENTS,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "file MB": size / 1e6,
    }


def measured(store: str, number: int) -> dict[str, float]:
    """Measure in a separate process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.batches", "--one", store, str(number)],
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(numbers: list[int]) -> None:
    rows: list[tuple[str, dict[str, float]]] = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(("SQLite", measured(f"{folder}/batches.sqlite", number)))
        programs = find_programs()
        if programs is not None:
            with Postgres(programs) as server:
                rows.append(("PostgreSQL", measured(server.url, number)))
    print("| store | " + " | ".join(rows[0][1]) + " |")
    print("| --- |" + " --- |" * len(rows[0][1]))
    for store, figures in rows:
        print(f"| {store} | " + " | ".join(f"{value:,.1f}" for value in figures.values()) + " |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(asyncio.run(carry_out(sys.argv[2], int(sys.argv[3])))))
    else:
        main([int(text) for text in sys.argv[1:]] or [1_000, 10_000])
