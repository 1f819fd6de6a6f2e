"""The time limit of an agent is told from any other time limit within it."""

from __future__ import annotations

import asyncio

import pytest

from llm_orc.agents.time_limit import within_time_limit
from llm_orc.errors import AgentTimedOut


async def test_what_takes_too_long_is_named_with_its_limit_and_may_be_billed() -> None:
    with pytest.raises(AgentTimedOut, match=r"agent `a` took longer than its limit of 0\.01 s") as caught:
        async with within_time_limit("a", 0.01, "Raise it."):
            await asyncio.sleep(10)

    assert caught.value.hint == "Raise it."
    assert caught.value.may_be_billed


async def test_a_time_out_of_the_work_itself_stays_what_it_is() -> None:
    with pytest.raises(TimeoutError, match="of its own") as caught:
        async with within_time_limit("a", 60.0, "Raise it."):
            raise TimeoutError("of its own")

    assert not isinstance(caught.value, AgentTimedOut)


async def test_what_ends_in_time_is_not_disturbed() -> None:
    async with within_time_limit("a", 60.0, "Raise it."):
        await asyncio.sleep(0)
