"""Agents of a batch that use tools: each turn of a model and each call is stored before anything follows from it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.tool_talk.talk import ToolsWanted
from llm_orc.agents.tools.tool import ToolResult, ToolUse
from llm_orc.agents.work import ModelWork
from llm_orc.app.wiring import SystemClock
from llm_orc.batches.parts import parts_of
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.engine.events import ToolFinished, ToolsAsked, ToolStarted
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.providers.parts import ToolCall
from llm_orc.runs.recipe import Recipe
from tests.agents.tools.conftest import FewTools, Function, few_tools
from tests.batches.test_parts import ACCESS, LIMIT_S, ROW, ended, submit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.batches.workers.stoppable import BeforeSend
    from llm_orc.jsontypes import JsonValue

ROUNDS = 3
WORK = ModelWork(tools=("run.write", "run.put"))
ALONE = Recipe(Ensemble("e", (AgentSpec("a", WORK),)), "", {})


class Looping:
    """A model that calls both tools in each of three rounds; the tools in `hang` hang in the second one until `may_end` is set."""

    def __init__(self, *hang: str) -> None:
        self.asked = Counter[str]()
        self.may_end = asyncio.Event()
        self.begun = asyncio.Event()
        self.tools: FewTools = few_tools(
            {name: self._does(name, 1 if name in hang else None) for name in WORK.tools}, idempotent=["run.put"]
        )

    def _does(self, name: str, in_round: int | None) -> Function:
        async def does(_use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
            if arguments["round"] == in_round:
                self.begun.set()
                await self.may_end.wait()
            return ToolResult(f"{name} {arguments['round']}")

        return does

    async def make_caller(self, _id: str, _number: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
        async def ask(turn: AgentTurn) -> AgentOutput:
            turn.observer.calling("m", ACCESS)
            await before_send()
            self.asked[turn.path] += 1
            call = ModelCall("m", ACCESS, cost_usd=0.25)
            results = [m.results for m in turn.history if m.results] + [turn.talk.results] if turn.talk else []
            told = [answer.text for of_round in results for answer in of_round]
            if (rounds := len(told) // 2) == ROUNDS:
                return AgentOutput(" | ".join(told), (call,))
            names = (("w", "run_write"), ("p", "run_put"))
            calls = tuple(ToolCall(f"{letter}{rounds}", name, {"round": rounds}) for letter, name in names)
            return AgentOutput("", (call,), wants=ToolsWanted(calls, "m"))

        return AgentCaller(ask, rehearsal=False, tools=self.tools)


@asynccontextmanager
async def worker(url: StoreUrl, looping: Looping) -> AsyncIterator[Worker]:
    with WorkerStore(url) as store:
        executor = RowExecutor(store, looping.make_caller, SystemClock(), only=["b1"])
        async with asyncio.timeout(LIMIT_S), Worker(store, executor) as worker:
            yield worker


async def test_a_killed_worker_s_loop_is_gone_on_with_where_it_was(store: StoreUrl) -> None:
    first, second = Looping("run.write"), Looping()
    async with worker(store, first) as one:
        await submit(one.store, ALONE)
        await first.begun.wait()
        one.executor.evict()

    async with worker(store, second) as again:
        row = await ended(again.store)
        left = parts_of(again.store.engine, ROW)

    assert (first.asked["a"], second.asked["a"]) == (2, 2)  # no turn is paid for twice
    assert first.tools.called == [
        ("run.write", {"round": 0}),
        ("run.put", {"round": 0}),
        ("run.write", {"round": 1}),
    ]
    assert second.tools.called == [
        ("run.put", {"round": 1}),
        ("run.write", {"round": 2}),
        ("run.put", {"round": 2}),
    ]
    assert row.result is not None
    told = str(row.result.answer).split(" | ")
    assert told[2].startswith("It is not known")
    assert told[:2] + told[3:] == ["run.write 0", "run.put 0", "run.put 1", "run.write 2", "run.put 2"]
    assert (row.result.total.calls, row.result.total.cost_usd, left) == (4, 1.0, {})
    kinds = Counter(type(event).__name__ for event in row.record)
    assert [kinds[one.__name__] for one in (ToolsAsked, ToolStarted, ToolFinished)] == [3, 6, 6]


async def test_a_worker_that_stops_waits_for_a_tool_that_can_not_be_repeated_and_begins_no_other(
    store: StoreUrl,
) -> None:
    first, second = Looping("run.write"), Looping()
    async with worker(store, first) as one:
        await submit(one.store, ALONE)
        await first.begun.wait()
        one.executor.stop()
        assert not one.executor.in_flight.is_settled()
        first.may_end.set()
        await one.executor.settled()

    async with worker(store, second) as again:
        row = await ended(again.store)

    assert first.tools.called[-1] == ("run.write", {"round": 1})
    assert second.tools.called[0] == ("run.put", {"round": 1})
    assert row.result is not None
    assert str(row.result.answer).count(" | ") == 5
    assert "not known" not in str(row.result.answer)


async def test_a_worker_that_stops_does_not_wait_for_a_tool_that_may_be_repeated(store: StoreUrl) -> None:
    first, second = Looping("run.put"), Looping()
    async with worker(store, first) as one:
        await submit(one.store, ALONE)
        await first.begun.wait()
        one.executor.stop()
        await one.executor.settled()

    async with worker(store, second) as again:
        row = await ended(again.store)

    assert second.tools.called[0] == ("run.put", {"round": 1})
    assert row.result is not None
    assert row.result.answer == " | ".join(f"run.{what} {n}" for n in range(ROUNDS) for what in ("write", "put"))


async def test_each_item_of_a_list_has_a_loop_of_its_own(store: StoreUrl) -> None:
    items = AgentSpec("a", WORK, fan_out=FanOut(("x", "y")))
    first, second = Looping("run.write"), Looping()
    async with worker(store, first) as one:
        await submit(one.store, Recipe(Ensemble("e", (items,)), "", {}))
        await first.begun.wait()
        await until(lambda: len(parts_of(one.store.engine, ROW)) >= 14)
        one.executor.evict()

    async with worker(store, second) as again:
        row = await ended(again.store)

    total = first.asked + second.asked
    assert (total["a[0]"], total["a[1]"]) == (4, 4)
    assert row.result is not None
    assert row.result.total.calls == 8
