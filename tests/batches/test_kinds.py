"""Rows with agents of other kinds: a function, and one that others run within, whose step they are a part of."""

from __future__ import annotations

import asyncio
from functools import partial

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.kinds import added
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.spec import AgentGroup, AgentSpec
from llm_orc.agents.turn import AgentTurn, CallAgent
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import in_store
from llm_orc.batches.store_url import StoreUrl
from llm_orc.batches.workers.queues import enqueue_row, open_queue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.stoppable import BeforeSend
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.engine.events import AgentFinished, AgentStarted, RecordedEvent
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import NotLoggedIn
from llm_orc.runs.recipe import Recipe
from tests.agents.extra_kinds import COUNT, ROUNDS, CountWork, RoundsWork

ACCESS = Access("p", "none", Billing.METERED, "none", "http://127.0.0.1")
BODY = AgentGroup("body", (AgentSpec("counter", CountWork("no")), AgentSpec("judge", depends_on=("counter",))))
AGENTS = (AgentSpec("panel", RoundsWork(BODY, 2)), AgentSpec("chair", depends_on=("panel",)))
RECIPE = Recipe(Ensemble("e", AGENTS), "", {})
LIMIT_S = 60


async def answer(turn: AgentTurn) -> AgentOutput:
    turn.observer.calling("m", ACCESS)
    return AgentOutput(f"{turn.path} has answered", (ModelCall("m", ACCESS, cost_usd=0.25),))


async def make_caller(_id: str, _number: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
    async def ask(turn: AgentTurn) -> AgentOutput:
        await before_send()
        return await answer(turn)

    return AgentCaller(ask, rehearsal=False)


async def refused(turn: AgentTurn) -> AgentOutput:
    raise NotLoggedIn(f"nobody may ask for {turn.path}")


async def test_an_agent_within_another_that_may_not_be_asked_stops_the_worker_and_fails_no_row(
    store: StoreUrl,
) -> None:
    async def make_refused(_id: str, _number: int, _recipe: Recipe, _before_send: BeforeSend) -> CallAgent:
        return AgentCaller(refused, rehearsal=False)

    with added(COUNT, ROUNDS), WorkerStore(store) as opened:
        executor = RowExecutor(opened, make_refused, SystemClock(), only=["b1"])
        async with Worker(opened, executor), asyncio.timeout(LIMIT_S):
            await submit(opened)
            await executor.stopping.wait()
        row = await in_store(partial(opened.batches.row, "b1", 1))

    assert isinstance(executor.stopped_by, NotLoggedIn)
    assert executor.stopped_by.message == "nobody may ask for panel[0]/judge"
    assert row.state == "waiting"


async def submit(store: WorkerStore) -> None:
    await in_store(partial(open_queue, store.client, "b1", 1))
    new, rows = NewBatch("b1", RECIPE, "", 0.0, 1), [NewRow(1, 1, "no means no")]
    await in_store(partial(store.batches.submit, new, rows, partial(enqueue_row, store.client), 0.0))


async def carried_out(url: StoreUrl) -> BatchStore:
    with WorkerStore(url) as store:
        executor = RowExecutor(store, make_caller, SystemClock(), only=["b1"])
        async with Worker(store, executor), asyncio.timeout(LIMIT_S):
            await submit(store)
            while (batch := await in_store(partial(store.batches.batch, "b1"))) and batch.waiting:
                await asyncio.sleep(0.02)
        return store.batches


def seen(events: tuple[RecordedEvent, ...]) -> list[tuple[str, str]]:
    ends = (e for e in events if isinstance(e, AgentStarted | AgentFinished))
    return [(type(e).__name__.removeprefix("Agent"), e.agent) for e in ends]


async def test_a_row_keeps_its_agents_of_all_kinds_with_those_within_them(store: StoreUrl) -> None:
    with added(COUNT, ROUNDS):
        batches = await carried_out(store)
        row = await in_store(partial(batches.row, "b1", 1))

    assert row.damage is None
    result = row.result
    assert result is not None
    assert {agent.name: agent.response for agent in result.agents} == {
        "panel": "panel[0]/judge has answered / panel[1]/judge has answered",
        "chair": "chair has answered",
        "panel[0]/counter": "`no`: 2",
        "panel[0]/judge": "panel[0]/judge has answered",
        "panel[1]/counter": "`no`: 2",
        "panel[1]/judge": "panel[1]/judge has answered",
    }
    assert result["panel[1]/counter"].data == {"word": "no", "number": 2}
    assert (result.total.calls, result.total.cost_usd, result.answer) == (3, 0.75, "chair has answered")
    assert seen(row.record)[0] == ("Started", "panel")
    assert seen(row.record)[-3:] == [("Finished", "panel"), ("Started", "chair"), ("Finished", "chair")]
    assert len(seen(row.record)) == 12
