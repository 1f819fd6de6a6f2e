"""What came while the process was stopped is read before a limit is declared; silence still ends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from llm_orc.net.patience import Patience


async def test_what_came_while_we_were_stopped_is_heard_before_the_limit() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    patience = Patience(0.1)

    def answers_soon() -> None:
        time.sleep(0.05)
        loop.call_soon_threadsafe(answer.set_result, "the answer")

    async with patience:
        patience.start()
        threading.Thread(target=answers_soon).start()
        time.sleep(0.3)  # noqa: ASYNC251 - as a stopped process does
        said = await answer

    assert said == "the answer"


async def test_silence_ends_the_block_and_each_word_begins_it_anew() -> None:
    patience = Patience(0.1)
    began = asyncio.get_running_loop().time()

    async def wait() -> None:
        async with patience:
            patience.start()
            for _ in range(5):
                await asyncio.sleep(0.05)
                patience.hear()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait()

    assert patience.is_over
    assert asyncio.get_running_loop().time() - began > 0.3


@pytest.mark.parametrize("limit_s", [None, 30.0])
async def test_a_block_that_ends_in_time_leaves_nothing_behind(limit_s: float | None) -> None:
    patience = Patience(limit_s)

    async with patience:
        patience.start()
        await asyncio.sleep(0)

    assert not patience.is_over


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        async with Patience(30) as patience:
            patience.start()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
