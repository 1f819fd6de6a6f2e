"""Rows whose agents ask people wait in the store, hold no place, and go on when somebody answers or time has passed."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.approval.work import ApprovalWork
from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.loop.work import LoopWork
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.auth.access import Access, Billing
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.database import in_store
from llm_orc.batches.questions import answer_question, find_question, open_questions, take_untold, wake_overdue
from llm_orc.batches.workers.queues import enqueue_row, open_queue, requeue_missing
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.engine.events import AgentStarted, ApprovalAnswered, ApprovalAsked
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe
from tests.fakes.clocks import SetClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.batches.batch import BatchRow
    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.batches.workers.stoppable import BeforeSend

ACCESS = Access("p", "none", Billing.METERED, "none", "http://127.0.0.1")
OK = AgentSpec("ok", ApprovalWork("Send ${draft}?", within_s=60.0, otherwise="reject"))
AGENTS = (
    AgentSpec("draft"),
    OK,
    AgentSpec("besides"),
    AgentSpec("send", depends_on=("ok", "draft")),
)
PANEL = NestedEnsemble("panel", (AgentSpec("draft"), OK, AgentSpec("after", depends_on=("ok",))))
NESTED = (AgentSpec("panel", EnsembleWork(PANEL)), AgentSpec("chair", depends_on=("panel",)))
NOW = SetClock().now()
LIMIT_S = 30


class Provider:
    """Answers each agent with its path, but for those that `hang`."""

    def __init__(self, *hang: str) -> None:
        self.calls, self.hang = Counter[str](), set(hang)

    async def make_caller(self, _id: str, _number: int, _recipe: Recipe, before_send: BeforeSend) -> CallAgent:
        async def ask(turn: AgentTurn) -> AgentOutput:
            turn.observer.calling("m", ACCESS)
            await before_send()
            self.calls[turn.path] += 1
            if turn.path in self.hang:
                await asyncio.get_running_loop().create_future()
            return AgentOutput(f"{turn.path}!", (ModelCall("m", ACCESS, cost_usd=0.25),))

        return AgentCaller(ask, rehearsal=False)


@asynccontextmanager
async def worker(url: StoreUrl, provider: Provider, passed_s: float = 0.0) -> AsyncIterator[Worker]:
    with WorkerStore(url) as store:
        executor = RowExecutor(store, provider.make_caller, SetClock(passed_s), only=["b1"])
        async with asyncio.timeout(LIMIT_S), Worker(store, executor) as worker:
            yield worker


async def submit(store: WorkerStore, agents: tuple[AgentSpec, ...] = AGENTS, rows: int = 1) -> None:
    recipe = Recipe(Ensemble("e", agents), "", {})
    await in_store(partial(open_queue, store.client, "b1", 1))
    new, some = NewBatch("b1", recipe, "", 0.0, rows), [NewRow(n, n, "task") for n in range(1, rows + 1)]
    await in_store(partial(store.batches.submit, new, some, partial(enqueue_row, store.client), 0.0))


async def until(is_true: Callable[[], bool]) -> None:
    while not await in_store(is_true):
        await asyncio.sleep(0.01)


async def in_state(store: WorkerStore, *states: str, number: int = 1) -> BatchRow:
    await until(lambda: store.batches.row("b1", number).state in states)
    return store.batches.row("b1", number)


async def answer(store: WorkerStore, agent: str = "ok", choice: str = "approve", number: int = 1) -> bool:
    given = ApprovalAnswered(NOW, AgentPath(agent), choice, None, "ada")
    return await in_store(
        partial(answer_question, store.engine, "b1", number, given, partial(enqueue_row, store.client))
    )


async def test_a_row_waits_when_all_else_has_ended_and_goes_on_with_the_answer(store: StoreUrl) -> None:
    async with worker(store, provider := Provider()) as only:
        await submit(only.store)
        parked = await in_state(only.store, "asking")
        batch = only.store.batches.batch("b1")
        asked = open_questions(only.store.engine, "b1")
        first, second = await answer(only.store), await answer(only.store)
        row = await in_state(only.store, "completed")

    assert parked.result is not None
    assert {agent.name: agent.status for agent in parked.result.agents} == {
        "draft": "completed",
        "ok": "waiting",
        "besides": "completed",
        "send": "waiting",
    }
    assert batch is not None
    assert (batch.state, batch.only_asks, batch.waiting, batch.counts) == ("open", True, 1, {"waiting": 1})
    assert [(one.asked.message, one.asked.deadline) for one in asked] == [("Send draft!?", NOW + 60)]
    assert (first, second) == (True, False)
    assert row.result is not None
    assert row.result["ok"].data == {"choice": "approve", "text": None, "by": "ada", "at": NOW}
    assert provider.calls == {"draft": 1, "besides": 1, "send": 1}
    assert row.result.total.cost_usd == 0.75
    assert [type(e) for e in row.record if isinstance(e, ApprovalAsked | ApprovalAnswered)] == [
        ApprovalAsked,
        ApprovalAnswered,
    ]


async def test_rows_that_wait_hold_no_place(store: StoreUrl) -> None:
    async with worker(store, Provider()) as only:
        await submit(only.store, rows=3)  # one at a time
        for number in (1, 2, 3):
            await in_state(only.store, "asking", number=number)
        told = [take_untold(only.store.engine, "b1", at, at - 60) for at in (NOW, NOW, NOW + 61)]
        await answer(only.store, number=2)
        await in_state(only.store, "completed", number=2)
        left = [one.number for one in open_questions(only.store.engine, "b1")]

    assert left == [1, 3]
    assert [[one.number for one in some] for some in told] == [[1, 2, 3], [], []]  # each is told once


async def test_an_agent_within_another_asks_and_only_what_needs_it_follows(store: StoreUrl) -> None:
    async with worker(store, provider := Provider()) as only:
        await submit(only.store, NESTED)
        await in_state(only.store, "asking")
        await answer(only.store, "panel/ok")
        row = await in_state(only.store, "completed")

    assert row.result is not None
    assert row.result["chair"].response == "chair!"
    assert provider.calls == {"panel/draft": 1, "panel/after": 1, "chair": 1}


async def test_each_item_asks_and_each_answer_counts(store: StoreUrl) -> None:
    asks = AgentSpec("ok", ApprovalWork("Send ${item}?"), fan_out=FanOut(("x", "y")))
    async with worker(store, Provider()) as only:
        await submit(only.store, (asks, AgentSpec("end", depends_on=("ok",))))
        await in_state(only.store, "asking")
        await answer(only.store, "ok[1]", "reject")
        await until(lambda: (row := only.store.batches.row("b1", 1)).state == "asking" and row.attempt == 2)
        await answer(only.store, "ok[0]")
        row = await in_state(only.store, "completed")

    assert row.result is not None
    assert [one["choice"] for one in row.result["ok"].data] == ["approve", "reject"]  # type: ignore[union-attr, index]


async def test_each_round_of_a_loop_asks_and_a_kill_repeats_only_what_was_in_flight(store: StoreUrl) -> None:
    body = NestedEnsemble(
        "body",
        (
            AgentSpec("draft"),
            AgentSpec("ok", ApprovalWork("Take ${draft}?")),
            AgentSpec("note", depends_on=("ok",)),
        ),
        is_body=True,
    )
    agents = (AgentSpec("loop", LoopWork(body, '${ok.choice} == "approve"', 3)),)
    async with worker(store, first := Provider("loop[2]/draft")) as killed:
        await submit(killed.store, agents)
        await in_state(killed.store, "asking")
        await answer(killed.store, "loop[1]/ok", "reject")
        await until(lambda: first.calls["loop[2]/draft"] == 1)
        killed.executor.evict()
    async with worker(store, second := Provider()) as again:
        await in_state(again.store, "asking")
        await answer(again.store, "loop[2]/ok")
        row = await in_state(again.store, "completed")

    assert first.calls == {"loop[1]/draft": 1, "loop[1]/note": 1, "loop[2]/draft": 1}
    assert second.calls == {"loop[2]/draft": 1, "loop[2]/note": 1}
    assert row.result is not None
    assert row.result["loop"].rounds is not None


async def test_the_question_and_its_deadline_survive_a_kill(store: StoreUrl) -> None:
    async with worker(store, first := Provider("besides")) as killed:
        await submit(killed.store)
        await until(lambda: find_question(killed.store.engine, "b1", 1, "ok") is not None)
        await until(lambda: first.calls["besides"] == 1)
        killed.executor.evict()
    async with worker(store, second := Provider(), passed_s=50.0) as again:
        row = await in_state(again.store, "asking")
        asked = open_questions(again.store.engine, "b1")

    assert [one.asked.deadline for one in asked] == [NOW + 60]
    assert second.calls == {"besides": 1}
    assert [e.agent for e in row.record if isinstance(e, AgentStarted)].count(AgentPath("draft")) == 1


async def test_an_answer_while_the_row_is_carried_out_is_not_lost(store: StoreUrl) -> None:
    async with worker(store, first := Provider("besides")) as killed:
        await submit(killed.store)
        await until(lambda: first.calls["besides"] == 1)
        await until(lambda: find_question(killed.store.engine, "b1", 1, "ok") is not None)
        assert await answer(killed.store)
        killed.executor.evict()
    async with worker(store, second := Provider()) as again:
        await in_state(again.store, "completed")

    assert second.calls == {"besides": 1, "send": 1}


async def test_time_that_passes_answers_for_people(store: StoreUrl) -> None:
    async with worker(store, Provider()) as early:
        await submit(early.store)
        await in_state(early.store, "asking")
        enqueue = partial(enqueue_row, early.store.client)
        woken = [wake_overdue(early.store.engine, NOW + after, enqueue) for after in (59.9, 60.0, 60.1)]
    async with worker(store, Provider(), passed_s=60.0) as late:
        row = await in_state(late.store, "completed")

    assert woken == [0, 1, 0]
    assert row.result is not None
    assert row.result["ok"].response == "reject"
    assert row.result["ok"].answered is not None
    assert row.result["ok"].answered.by == "otherwise"


async def test_a_row_that_nobody_answered_fails_and_a_retry_asks_again(store: StoreUrl) -> None:
    asks = (AgentSpec("ok", ApprovalWork("Send it?", within_s=60.0)),)
    async with worker(store, Provider()) as early:
        await submit(early.store, asks)
        await in_state(early.store, "asking")
        wake_overdue(early.store.engine, NOW + 60.0, partial(enqueue_row, early.store.client))
    async with worker(store, Provider(), passed_s=60.0) as late:
        failed = await in_state(late.store, "failed")
        await in_store(partial(late.store.batches.retry_failed, "b1", partial(enqueue_row, late.store.client)))
        again = await in_state(late.store, "asking")
        asked = open_questions(late.store.engine, "b1")
        await answer(late.store)
        row = await in_state(late.store, "completed")

    assert failed.error_code == "approval_expired"
    assert again.run_state.open_questions.keys() == {"ok"}
    assert [one.asked.deadline for one in asked] == [NOW + 120]
    assert row.result is not None


async def test_a_cancelled_row_asks_again_once_the_batch_is_resumed(store: StoreUrl) -> None:
    async with worker(store, provider := Provider()) as only:
        await submit(only.store)
        await in_state(only.store, "asking")
        only.store.batches.cancel("b1", NOW)
        assert not await answer(only.store)
        only.store.batches.reopen("b1")
        requeue_missing(only.store.engine, only.store.batches, only.store.client, "b1")
        await in_state(only.store, "asking")
        assert await answer(only.store)
        await in_state(only.store, "completed")

    assert provider.calls == {"draft": 1, "besides": 1, "send": 1}
