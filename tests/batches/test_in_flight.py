"""Which workflows of a process can be cancelled without losing an answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack

import pytest

from llm_orc.batches.workers.in_flight import InFlight

ROW, OTHER, AGENT = "b1:1:1", "b2:1:1", "b1:2:1:a"


async def test_a_row_outside_its_agents_is_storing_something() -> None:
    in_flight = InFlight()
    assert in_flight.is_settled()

    async with in_flight.workflow(ROW):
        assert not in_flight.is_settled()
        for _ in range(3):  # it waits again and again
            with in_flight.idle(ROW):
                assert in_flight.is_settled()
            assert not in_flight.is_settled()

    assert in_flight.is_settled()
    assert in_flight.names == set()


async def test_a_call_is_lost_only_between_its_sending_and_its_end() -> None:
    in_flight = InFlight()
    async with in_flight.workflow(ROW):
        with in_flight.agent(ROW), in_flight.call(ROW):
            assert in_flight.is_settled()  # it waits for its turn
            in_flight.mark_sent()
            assert not in_flight.is_settled()
            in_flight.mark_waiting()
            assert in_flight.is_settled()  # it waits for its next try
            in_flight.mark_sent()
        assert not in_flight.is_settled()
        for _ in range(3):  # one agent after the other
            with in_flight.agent(ROW):
                assert not in_flight.is_settled()
                with in_flight.idle(ROW):
                    assert in_flight.is_settled()


async def test_a_row_is_idle_when_each_of_its_agents_is() -> None:
    in_flight = InFlight()
    async with in_flight.workflow(ROW):
        with in_flight.agent(ROW), in_flight.agent(ROW), in_flight.idle(ROW):
            assert not in_flight.is_settled()
            with in_flight.call(ROW):
                assert in_flight.is_settled()
                in_flight.mark_sent()
                assert not in_flight.is_settled()


async def test_batches_are_told_apart() -> None:
    in_flight = InFlight()
    async with AsyncExitStack() as stack:
        for name in (ROW, OTHER, AGENT):
            await stack.enter_async_context(in_flight.workflow(name))
        assert in_flight.names == {ROW, OTHER, AGENT}
        assert in_flight.batches == {"b1", "b2"}
        assert in_flight.rows == 2  # an agent of another worker's row is none
        with ExitStack() as idle:
            idle.enter_context(in_flight.idle(ROW))
            assert not in_flight.is_settled("b1")
            idle.enter_context(in_flight.idle(AGENT))
            assert in_flight.is_settled("b1")
            assert not in_flight.is_settled("b2")
            assert not in_flight.is_settled()


async def test_the_workflows_of_one_batch_are_cancelled_and_no_others() -> None:
    in_flight, started = InFlight(), asyncio.Event()

    async def carry_out(name: str) -> None:
        async with in_flight.workflow(name):
            if len(in_flight.names) == 3:
                started.set()
            await asyncio.Event().wait()

    tasks = {name: asyncio.create_task(carry_out(name)) for name in (ROW, OTHER, AGENT)}
    await started.wait()

    cancelled = in_flight.cancel("b1")

    assert set(cancelled) == {tasks[ROW], tasks[AGENT]}
    for task in cancelled:
        with pytest.raises(asyncio.CancelledError):
            await task
    assert in_flight.names == {OTHER}
    assert in_flight.cancel() == [tasks[OTHER]]
    with pytest.raises(asyncio.CancelledError):
        await tasks[OTHER]


async def test_a_workflow_that_was_taken_up_again_is_not_forgotten_when_the_first_try_ends() -> None:
    """The engine may start a workflow again before its cancelled task has ended."""
    in_flight, may_end = InFlight(), asyncio.Event()

    async def first() -> None:
        async with in_flight.workflow(ROW):
            await may_end.wait()

    task = asyncio.create_task(first())
    await asyncio.sleep(0)
    async with in_flight.workflow(ROW):
        may_end.set()
        await task
        assert in_flight.names == {ROW}
    assert in_flight.names == set()
