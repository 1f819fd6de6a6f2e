"""Slots are exact: after any order of waits and cancellations there are as many as before."""

from __future__ import annotations

import asyncio

import pytest

from llm_orc.agents.spec import AgentSpec
from llm_orc.engine.slots import Slots


class Starts:
    """Agents that start and run on; `under_way` is how many."""

    def __init__(self) -> None:
        self.under_way = 0

    def start(self, spec: AgentSpec) -> bool:
        self.under_way += 1
        return True


def free(slots: Slots) -> int:
    """Return how many agents could start now, by starting them."""
    starts = Starts()
    for i in range(10):
        slots.enqueue(starts, AgentSpec(f"probe-{i}"))
    slots.start_ready()
    return starts.under_way


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_wait_leaves_as_many_slots_as_there_were(granted: bool) -> None:
    slots, others = Slots(1), Starts()
    slots.enqueue(others, AgentSpec("outer"))
    slots.start_ready()
    slots.release()  # the outer agent waits for those within it
    slots.enqueue(others, AgentSpec("other"))
    slots.start_ready()
    waiting = asyncio.create_task(slots.take_back())
    await asyncio.sleep(0)

    if granted:
        slots.release()  # the other agent ends in the very moment of the cancellation
        slots.start_ready()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    slots.release()  # the outer agent ends
    if not granted:
        slots.release()  # the other agent ends
    slots.start_ready()

    assert free(slots) == 1


async def test_a_slot_is_lent_and_taken_back_before_those_who_have_had_none() -> None:
    slots, order = Slots(1), []

    class Waiting:
        def start(self, spec: AgentSpec) -> bool:
            order.append(spec.name)
            return True

    slots.enqueue(Waiting(), AgentSpec("first"))
    slots.start_ready()

    def second_ends() -> None:
        slots.release()
        slots.start_ready()

    async with slots.lent():
        slots.enqueue(Waiting(), AgentSpec("second"))
        slots.start_ready()
        slots.enqueue(Waiting(), AgentSpec("third"))
        asyncio.get_running_loop().call_soon(second_ends)
    order.append("first again")
    slots.release()
    slots.start_ready()

    assert order == ["first", "second", "first again", "third"]


async def test_an_agent_that_fails_while_it_lends_its_slot_gives_back_one() -> None:
    slots, starts = Slots(1), Starts()
    slots.enqueue(starts, AgentSpec("first"))
    slots.start_ready()
    with pytest.raises(ValueError, match="no"):
        async with slots.lent():
            raise ValueError("no")
    slots.release()

    assert free(slots) == 1
