"""A process that carries out one batch, whose agents call a provider that logs every call.

    python -m tests.batches.worker_process STORE PROVIDER_URL ROWS VARIANT [OPTIONS]

VARIANT is `ours`, or one of two that must fail where ours doesn't: `naive` numbers steps when agents are ready,
`untuned` leaves SQLite as the durable engine opens it. OPTIONS is JSON: `concurrent` and `per_minute` over all
workers, `max_calls`, `deadly`, a row that ends the process, `dead_after_s`, how long a worker may be silent,
`check_s`, how often others check, and `nested`: the agents run within one, and some of them within another, or once
for each of two items.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import aiohttp
import sqlalchemy as sa
from dbos import DBOS

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.turn import AgentTurn, CallAgent
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import BatchLimits, NewBatch, NewRow, batch_id_of
from llm_orc.batches.database import in_store
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import WORKERS
from llm_orc.batches.workers.limits import SharedLimits
from llm_orc.batches.workers.membership import Heartbeats
from llm_orc.batches.workers.queues import enqueue_row, open_queue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.spending.account import BatchAccount
from llm_orc.batches.workers.spending.row_budget import RowBudget
from llm_orc.batches.workers.steps.durable import DurableSteps
from llm_orc.batches.workers.stoppable import BeforeSend
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe

AGENTS = (
    AgentSpec("a"),
    AgentSpec("b"),
    AgentSpec("c", depends_on=("a",)),
    AgentSpec("d", depends_on=("b",)),
)
ACCESS = Access("witness", "none", Billing.LOCAL, "none", "http://127.0.0.1")
INNER = NestedEnsemble("inner", AGENTS)
PANEL = NestedEnsemble(
    "panel",
    (
        *AGENTS[:2],
        AgentSpec("inner", EnsembleWork(INNER), depends_on=("a",)),
        AgentSpec("each", depends_on=("a", "b"), fan_out=FanOut(("${a}", "${b}"))),
    ),
)
NESTED = (AgentSpec("panel", EnsembleWork(PANEL)), AgentSpec("e", depends_on=("panel",)))
CHOICE = ModelChoice("witness", "witness", "ensemble")
RECIPE = Recipe(Ensemble("kill", AGENTS), "", {agent.name: (CHOICE,) for agent in AGENTS})
_PATHS = (
    "panel/a",
    "panel/b",
    "panel/inner/a",
    "panel/inner/b",
    "panel/inner/c",
    "panel/inner/d",
    "panel/each",
    "e",
)
NESTED_RECIPE = Recipe(Ensemble("nested", NESTED), "", dict.fromkeys(_PATHS, (CHOICE,)))
CALLS = {False: 4, True: 9}  # for each row; the key says whether it is nested
ROWS_AT_ONCE = 40


def rows_of(number: int) -> list[NewRow]:
    return [NewRow(i, i, f"row {i}") for i in range(1, number + 1)]


def batch_id(number: int, *, nested: bool = False) -> str:
    return batch_id_of(NESTED_RECIPE if nested else RECIPE, rows_of(number))


class NaiveSteps(DurableSteps):
    """The obvious way, which is wrong: a step gets its number when its agent is ready."""

    async def run_step(self, turn: AgentTurn) -> str:
        text: str = await DBOS.run_step_async({"name": "agent"}, self._call, turn)
        return text


def was_taken_for_dead(store: WorkerStore) -> bool:
    """A worker that others have evicted learns it with its next heartbeat, which may be too late for this batch."""
    with store.engine.connect() as connection:
        own = sa.select(WORKERS).where(WORKERS.c.worker_id == store.worker_id)
        return connection.execute(own).first() is None


async def main(url_of_store: str, url: str, number: int, variant: str, options: dict[str, int]) -> None:
    store_url = parse_store_url(url_of_store, Path("/nowhere"))
    nested = bool(options.get("nested"))
    rows, name, recipe = rows_of(number), batch_id(number, nested=nested), NESTED_RECIPE if nested else RECIPE
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def make_caller(_id: str, row: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
            async def call(turn: AgentTurn) -> AgentOutput:
                turn.observer.calling("witness", ACCESS)
                if f"row {options.get('deadly')}" == turn.prompt:
                    os._exit(9)
                if limits and store.gate is not None:
                    await store.gate.start("witness", 0)
                await RowBudget(account, row, before_send).count(Attempt(AgentPath(turn.agent.name), 0.0))
                # The prompt itself names the row; agents that depend on others find it in their answers.
                begun = {"pid": os.getpid(), "begun": time.monotonic()}
                asked = {"agent": turn.path, "prompt": turn.prompt, **begun}
                async with http.post(url, json=asked) as answer:
                    return AgentOutput(await answer.text(), (ModelCall("witness", ACCESS),))

            return AgentCaller(call, rehearsal=False)

        steps = NaiveSteps if variant == "naive" else DurableSteps
        heartbeats = Heartbeats(dead_after_s=options.get("dead_after_s", 30), check_s=options.get("check_s", 3))
        limits = {}
        if options.get("concurrent"):
            limits["witness"] = SharedLimits(options["concurrent"], options.get("per_minute"))
        spend = BatchLimits(max_calls=options.get("max_calls"), row_max_calls=options.get("row_max_calls"))
        with WorkerStore(store_url, tuned=variant != "untuned") as store:
            account = BatchAccount(store.engine, store.worker_id, name, spend)
            executor = RowExecutor(store, make_caller, SystemClock(), only=[name], steps=steps)
            async with Worker(store, executor, limits=limits, heartbeats=heartbeats):
                new = NewBatch(name, recipe, "", 0.0, number, spend)
                await in_store(partial(open_queue, store.client, name, ROWS_AT_ONCE))
                await in_store(partial(store.batches.submit, new, rows, partial(enqueue_row, store.client), 0.0))
                while (batch := await in_store(partial(store.batches.batch, name))) and batch.waiting:
                    if executor.stopping.is_set():
                        break
                    await asyncio.sleep(0.1)
                await executor.settled()
                is_evicted = await in_store(partial(was_taken_for_dead, store))
                await account.give_back()
    sys.stdout.write(f"{'evicted' if is_evicted else executor.stopped_by or 'done'}\n")


if __name__ == "__main__":
    given = json.loads(sys.argv[5]) if len(sys.argv) > 5 else {}
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], given))
