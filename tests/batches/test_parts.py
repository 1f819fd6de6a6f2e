"""What runs within an agent of a batch is durable by its path: an interruption repeats only what was in flight."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.samples.spec import Judge, Samples
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.app.wiring import SystemClock
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.database import in_store
from llm_orc.batches.parts import NewPart, RowExecution, parts_of, store_parts
from llm_orc.batches.tables import ENGINE_STEPS, ENGINE_WORKFLOWS, PARTS, engine_connection
from llm_orc.batches.workers.queues import enqueue_row, open_queue, requeue
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentStarted, ItemsStarted, ModelChosen
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ProviderError
from llm_orc.providers.limits.plans import UsedUp
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.batches.batch import BatchRow
    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.batches.workers.stoppable import BeforeSend

ACCESS = Access("p", "none", Billing.METERED, "none", "http://127.0.0.1")
INNER = NestedEnsemble("inner", (AgentSpec("x"), AgentSpec("y", depends_on=("x",))))
PANEL = NestedEnsemble(
    "panel",
    (
        AgentSpec("a"),
        AgentSpec("b"),
        AgentSpec("inner", EnsembleWork(INNER)),
        AgentSpec("c", depends_on=("a", "b", "inner"), requires="any"),
    ),
)
AGENTS = (AgentSpec("panel", EnsembleWork(PANEL)), AgentSpec("chair", depends_on=("panel",)))
RECIPE = Recipe(Ensemble("e", AGENTS), "", {})
EVERY = ("chair", "panel", "panel/a", "panel/b", "panel/c", "panel/inner", "panel/inner/x", "panel/inner/y")
MODELS = tuple(path for path in EVERY if path not in {"panel", "panel/inner"})
ROW = "b1:1:1"
LIMIT_S = 30


class Provider:
    """Answers each agent with its path, but for those that `hang` until they are told to answer, or that `fail`."""

    def __init__(self, *hang: str, fail: tuple[str, ...] = (), says: Mapping[str, str] | None = None) -> None:
        self.calls = Counter[str]()
        self.hang, self.fail, self.says = set(hang), set(fail), says or {}
        self.may_answer = asyncio.Event()
        self.used_up: dict[str, UsedUp] = {}
        self.prompts: dict[str, str] = {}
        self.stuck: set[str] = set()
        self.cancels: set[str] = set()  # raise what a task raises that is cancelled

    async def make_caller(self, _id: str, _number: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
        async def ask(turn: AgentTurn) -> AgentOutput:
            if turn.path in self.used_up:
                raise MustWaitForPlan(self.used_up[turn.path])
            turn.observer.calling("m", ACCESS)
            await before_send()
            self.calls[turn.path] += 1
            self.prompts[turn.path] = turn.prompt
            if turn.path in self.hang:
                await self.may_answer.wait()
            if turn.path in self.cancels:
                raise asyncio.CancelledError
            if turn.path in self.stuck:
                await asyncio.get_running_loop().create_future()
            if turn.path in self.fail:
                raise ProviderError(f"no answer for {turn.path}")
            return AgentOutput(self.says.get(turn.path, f"{turn.path}!"), (ModelCall("m", ACCESS, cost_usd=0.25),))

        return AgentCaller(ask, rehearsal=False)


@asynccontextmanager
async def worker(url: StoreUrl, provider: Provider) -> AsyncIterator[Worker]:
    with WorkerStore(url) as store:
        executor = RowExecutor(store, provider.make_caller, SystemClock(), only=["b1"])
        async with asyncio.timeout(LIMIT_S), Worker(store, executor) as worker:
            yield worker


async def submit(store: WorkerStore, recipe: Recipe = RECIPE) -> None:
    await in_store(partial(open_queue, store.client, "b1", 1))
    new, rows = NewBatch("b1", recipe, "", 0.0, 1), [NewRow(1, 1, "task")]
    await in_store(partial(store.batches.submit, new, rows, partial(enqueue_row, store.client), 0.0))


async def until(is_true: Callable[[], bool]) -> None:
    while not await in_store(is_true):
        await asyncio.sleep(0.01)


async def ended(store: WorkerStore) -> BatchRow:
    await until(lambda: store.batches.row("b1", 1).state != "waiting")
    return store.batches.row("b1", 1)


def stored(store: WorkerStore, *paths: str) -> Callable[[], bool]:
    return lambda: set(parts_of(store.engine, ROW)) == set(paths)


async def interrupted(url: StoreUrl, provider: Provider, *parts: str, recipe: Recipe = RECIPE) -> None:
    """Carry the row out until these parts are stored, and end the worker as if it were killed."""
    async with worker(url, provider) as first:
        await submit(first.store, recipe)
        await until(stored(first.store, *parts))
        await until(lambda: provider.hang <= set(provider.calls))
        first.executor.evict()


async def test_only_what_was_in_flight_is_asked_again_and_all_is_told_once_and_in_order(store: StoreUrl) -> None:
    first, second = Provider("panel/b", "panel/inner/y"), Provider()
    await interrupted(store, first, "panel/a", "panel/inner/x")
    between = SystemClock().now()

    async with worker(store, second) as again:
        row = await ended(again.store)
        left = parts_of(again.store.engine, ROW)

    assert set(first.calls) == {"panel/a", "panel/b", "panel/inner/x", "panel/inner/y"}
    assert set(second.calls) == {"panel/b", "panel/inner/y", "panel/c", "chair"}
    assert row.state == "completed"
    assert row.result is not None
    assert {agent.name: agent.response for agent in row.result.agents} == {
        **{path: f"{path}!" for path in MODELS},
        "panel": "panel/c!",
        "panel/inner": "panel/inner/y!",
    }
    assert (row.result.total.calls, row.result.total.cost_usd) == (6, 1.5)
    assert left == {}  # the row's record has them

    told: dict[str, list[type]] = {}
    for event in row.record:
        if isinstance(event, AgentStarted | ModelChosen | AgentFinished):
            told.setdefault(event.agent, []).append(type(event))
    assert {*map(tuple, (told[path] for path in MODELS))} == {(AgentStarted, ModelChosen, AgentFinished)}
    assert told["panel"] == told["panel/inner"] == [AgentStarted, AgentFinished]
    ends = {event.agent: event.at for event in row.record if isinstance(event, AgentFinished)}
    assert {path for path, at in ends.items() if at < between} == {"panel/a", "panel/inner/x"}
    order = [*map(str, ends)]
    assert order.index("panel/inner/x") < order.index("panel/inner/y") < order.index("panel/inner")
    assert order[-3:] == ["panel/c", "panel", "chair"]


async def test_items_that_have_ended_are_not_asked_again(store: StoreUrl) -> None:
    agents = (AgentSpec("each", fan_out=FanOut(("x", "y", "z"))), AgentSpec("chair", depends_on=("each",)))
    recipe = Recipe(Ensemble("e", agents), "", {})
    first, second = Provider("each[1]", fail=("each[2]",)), Provider()
    await interrupted(store, first, "each[0]", "each[2]", recipe=recipe)

    async with worker(store, second) as again:
        row = await ended(again.store)

    assert set(first.calls) == {"each[0]", "each[1]", "each[2]"}
    assert set(second.calls) == {"each[1]", "chair"}
    assert row.result is not None
    failed = {"failed": True, "error": "no answer for each[2]"}
    assert row.result["each"].data == ["each[0]!", "each[1]!", failed]
    assert [e.total for e in row.record if isinstance(e, ItemsStarted)] == [3]


async def test_samples_are_kept_while_their_judge_is_asked_again(store: StoreUrl) -> None:
    agents = (AgentSpec("often", samples=Samples(3, judge=Judge())),)
    recipe = Recipe(Ensemble("e", agents), "", {})
    await interrupted(store, Provider("often/judge"), "often[0]", "often[1]", "often[2]", recipe=recipe)

    second = Provider(says={"often/judge": '{"why": "w", "best": 2}'})
    async with worker(store, second) as again:
        row = await ended(again.store)

    assert second.calls == {"often/judge": 1}
    assert row.result is not None
    assert row.result["often"].response == "often[1]!"


async def test_an_agent_that_had_started_without_another_does_so_again(store: StoreUrl) -> None:
    """Whatever has been stored meanwhile: it may be on the queue of its provider, with the prompt that it had."""
    agents = (AgentSpec("a"), AgentSpec("b"), AgentSpec("chair", depends_on=("a", "b"), requires=1))
    first, second = Provider("b"), Provider()
    first.stuck.add("chair")
    async with worker(store, first) as killed:
        await submit(killed.store, Recipe(Ensemble("e", agents), "", {}))
        await until(lambda: {"b", "chair"} <= set(first.calls))
        first.may_answer.set()
        await until(lambda: _steps(killed.store) == 2)
        killed.executor.evict()

    async with worker(store, second) as again:
        row = await ended(again.store)

    assert set(second.calls) == {"chair"}
    assert "b!" not in second.prompts["chair"]
    assert "a!" in second.prompts["chair"]
    assert row.result is not None
    assert row.result["b"].late_for == ("chair",)


def _steps(store: WorkerStore) -> int:
    with engine_connection(store.engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(ENGINE_STEPS)).scalar_one()


async def test_a_failure_is_kept_too_and_asked_again_only_by_a_retry(store: StoreUrl) -> None:
    failing = Provider("panel/b", "panel/inner/y", fail=("panel/a",))
    await interrupted(store, failing, "panel/a", "panel/inner/x")

    async with worker(store, second := Provider(fail=("panel/b",))) as again:
        row = await ended(again.store)
        assert row.state == "completed"  # the agents of the ensemble itself have answered
        assert [event.agent for event in row.record if isinstance(event, AgentFailed)] == ["panel/a", "panel/b"]
    assert "panel/a" not in second.calls


async def test_a_retry_asks_for_what_failed_and_keeps_what_has_answered(store: StoreUrl) -> None:
    async with worker(store, first := Provider(fail=("panel/c",))) as only:
        await submit(only.store)
        row = await ended(only.store)
        assert (row.state, first.calls["panel/c"]) == ("failed", 1)
        first.fail.clear()
        await in_store(partial(only.store.batches.retry_failed, "b1", partial(enqueue_row, only.store.client)))
        row = await ended(only.store)

    assert row.state == "completed"
    assert first.calls == {**dict.fromkeys(MODELS, 1), "panel/c": 2}


async def test_an_answer_on_its_way_is_stored_when_the_worker_stops(store: StoreUrl) -> None:
    provider = Provider("panel/a", "panel/b")
    async with worker(store, provider) as stopped:
        await submit(stopped.store)
        await until(lambda: provider.hang <= set(provider.calls))
        stopped.executor.stop()
        settled = asyncio.create_task(stopped.executor.settled())
        provider.may_answer.set()
        await settled
        parts = parts_of(stopped.store.engine, ROW)

    assert {"panel/a", "panel/b"} <= set(parts)

    async with worker(store, second := Provider()) as again:
        await ended(again.store)
    assert provider.calls + second.calls == dict.fromkeys(MODELS, 1)


@pytest.mark.slow
async def test_a_plan_that_is_used_up_costs_no_answer_of_the_agents_beside(store: StoreUrl) -> None:
    """Nor does the time limit around them count until the row is back on its queue."""
    provider = Provider("panel/a")
    clock = SystemClock()
    provider.used_up["panel/b"] = UsedUp(
        ACCESS, None, clock.now() + 3.0, is_told=True, error=ProviderError("limit")
    )
    limited = (replace(AGENTS[0], timeout_s=1.0), *AGENTS[1:])
    async with worker(store, provider) as only:
        await submit(only.store, Recipe(Ensemble("e", limited), "", {}))
        await until(lambda: provider.hang <= set(provider.calls))
        await asyncio.sleep(1.2)
        provider.may_answer.set()
        await until(lambda: _status(only.store) == "DELAYED")
        parts = parts_of(only.store.engine, ROW)
        provider.used_up.clear()
        row = await ended(only.store)

    assert "panel/a" in parts
    assert row.state == "completed"
    assert provider.calls == dict.fromkeys(MODELS, 1)


def _status(store: WorkerStore) -> str | None:
    this = sa.select(ENGINE_WORKFLOWS.c.status).where(ENGINE_WORKFLOWS.c.workflow_uuid == ROW)
    with engine_connection(store.engine) as connection:
        return connection.execute(this).scalar()


async def test_an_answer_that_was_stored_before_a_kill_is_written_to_its_file_after_it(
    store: StoreUrl, tmp_path: Path
) -> None:
    agents = (AgentSpec("a", save_as="a.txt"), AgentSpec("b"))
    first, second = Provider("b"), Provider()
    async with worker(store, first) as killed:  # where nothing is written, as if it were killed between
        await submit(killed.store, Recipe(Ensemble("e", agents), "", {}))
        await until(lambda: first.calls["b"] == 1 and _steps(killed.store) == 1)
        killed.executor.evict()
    with WorkerStore(store) as opened:
        executor = RowExecutor(opened, second.make_caller, SystemClock(), only=["b1"], save_below=tmp_path)
        async with asyncio.timeout(LIMIT_S), Worker(opened, executor):
            row = await ended(opened)

    assert (row.state, second.calls) == ("completed", {"b": 1})
    assert (tmp_path / "a.txt").read_text() == "a!"


async def test_an_execution_that_lost_its_row_stores_nothing(store: StoreUrl) -> None:
    provider = Provider("panel/b")
    async with worker(store, provider) as held_up:
        await submit(held_up.store)
        await until(lambda: provider.hang <= set(provider.calls))
        engine = held_up.store.engine
        of = ENGINE_WORKFLOWS.c
        with engine_connection(engine) as connection:
            token = connection.execute(sa.select(of.owner_xid).where(of.workflow_uuid == ROW)).scalar_one()
        seen = held_up.store.client.list_workflows(workflow_ids=[ROW])
        mine = RowExecution(ROW, token)
        assert store_parts(engine, [NewPart(mine, "z", "{}")]) == frozenset()
        await in_store(partial(requeue, engine, seen))

        refused = store_parts(engine, [NewPart(mine, "too late", "{}")])
        paths = set(parts_of(engine, ROW))
        held_up.executor.evict()

    assert refused == {mine}
    assert "z" in paths
    assert "too late" not in paths


@pytest.mark.slow
async def test_a_damaged_part_parks_its_row(store: StoreUrl) -> None:
    await interrupted(store, Provider("panel/b"), *{*EVERY} - {"panel", "panel/b", "panel/c", "chair"})

    with WorkerStore(store) as opened, opened.engine.begin() as connection:
        connection.execute(sa.update(PARTS).where(PARTS.c.path == "panel/a").values(outcome='{"at": 1}'))
    async with worker(store, second := Provider()) as again:
        row = await ended(again.store)
        left = parts_of(again.store.engine, ROW)

    assert (row.state, row.error_code) == ("failed", "row_parked")
    assert "damaged" in (row.error or "")
    assert not second.calls
    assert left == {}


async def test_parts_go_with_their_batch(store: StoreUrl) -> None:
    await interrupted(store, Provider("panel/b"), *{*EVERY} - {"panel", "panel/b", "panel/c", "chair"})
    with WorkerStore(store) as opened:
        opened.batches.delete("b1")
        with opened.engine.connect() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(PARTS)).scalar_one() == 0


async def test_a_cancellation_that_an_agent_raises_itself_is_its_failure(store: StoreUrl) -> None:
    provider = Provider()
    provider.cancels = {"panel/a", "panel/inner/y"}
    async with worker(store, provider) as only:
        await submit(only.store)
        row = await ended(only.store)

    assert row.result is not None
    assert {agent.name for agent in row.result.agents if agent.status == "failed"} == {
        "panel/a",
        "panel/inner",
        "panel/inner/y",
    }
    assert row.result["chair"].status == "completed"


async def test_what_a_time_limit_ends_within_an_agent_is_in_the_record(store: StoreUrl) -> None:
    agents = (AgentSpec("panel", EnsembleWork(PANEL), timeout_s=0.2),)
    async with worker(store, Provider("panel/b")) as only:
        await submit(only.store, Recipe(Ensemble("e", agents), "", {}))
        row = await ended(only.store)

    assert row.state == "failed"
    assert row.result is not None
    begun = [type(event) for event in row.record if getattr(event, "agent", "") == "panel/b"]
    assert begun == [AgentStarted, ModelChosen]
    assert row.result["panel/a"].response == "panel/a!"
