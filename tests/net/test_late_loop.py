"""A coroutine runs without an event loop until it needs one, and goes on where it was."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from llm_orc.net.late_loop import in_thread, run_late, start_loop


def test_what_needs_no_loop_is_run_without_one() -> None:
    async def inner() -> str:
        return await in_thread(lambda: threading.current_thread().name)

    async def main() -> tuple[str, bool]:
        return await inner(), _loop_runs()

    assert run_late(main()) == (threading.current_thread().name, False)


def test_the_loop_starts_where_it_is_needed() -> None:
    steps: list[bool] = []

    async def needy() -> str:
        steps.append(_loop_runs())
        await start_loop()
        steps.append(_loop_runs())
        await asyncio.sleep(0)
        return await in_thread(lambda: threading.current_thread().name)

    async def main() -> str:
        name = await needy()
        await start_loop()  # it runs: nothing happens
        return name

    assert run_late(main()) != threading.current_thread().name
    assert steps == [False, True]


def test_an_error_reaches_the_caller_with_and_without_a_loop() -> None:
    async def fail(*, late: bool) -> None:
        if late:
            await start_loop()
            await asyncio.sleep(0)
        raise LookupError("gone")

    async def main(*, late: bool) -> str:
        try:
            await fail(late=late)
        except LookupError as e:
            return str(e)
        return "nothing"

    assert [run_late(main(late=late)) for late in (False, True)] == ["gone", "gone"]
    for late in (False, True):
        with pytest.raises(LookupError, match="gone"):
            run_late(fail(late=late))


def test_a_loop_that_runs_is_used() -> None:
    async def main() -> tuple[bool, str]:
        await start_loop()
        return _loop_runs(), await in_thread(lambda: threading.current_thread().name)

    is_running, name = asyncio.run(main())

    assert is_running
    assert name != threading.current_thread().name


def test_a_coroutine_can_be_cancelled_after_the_loop_has_started() -> None:
    ended: list[str] = []

    async def main() -> None:
        try:
            await start_loop()
            asyncio.get_running_loop().call_soon(_cancel_all)
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")

    with pytest.raises(asyncio.CancelledError):
        run_late(main())
    assert ended == ["cleaned up"]


def test_asyncio_is_loaded_only_if_it_is_needed() -> None:
    program = """
import sys
from llm_orc.net.late_loop import in_thread, run_late, start_loop

async def main(late):
    await in_thread(print, "before", "asyncio" in sys.modules)
    if late:
        await start_loop()
    print("after", "asyncio" in sys.modules)

run_late(main(False))
run_late(main(True))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n")[:4] == ["before False", "after False", "before False", "after True"]


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _cancel_all() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
