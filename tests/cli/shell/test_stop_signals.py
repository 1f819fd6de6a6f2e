"""Signals that ask for an end, as they come to a loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from llm_orc.cli.shell.process.stop_signals import (
    HUNG_UP,
    TERMINATED,
    Ended,
    ended_by_signals,
    stopped_by,
    stopping,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")


@pytest.fixture
def dispositions() -> Iterator[None]:
    """The default ones, even if the tests run under `nohup`."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def told(*numbers: signal.Signals) -> list[int]:
    """The exit codes that these signals, sent to ourselves, ask for."""
    codes: list[int] = []
    with stopping(codes.append):
        for number in numbers:
            os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            while TERMINATED not in codes:
                await asyncio.sleep(0)
    return codes


@pytest.mark.usefixtures("dispositions")
async def test_a_terminal_that_goes_away_asks_for_an_end_like_a_manager_of_services() -> None:
    assert sorted(await told(signal.SIGHUP, signal.SIGTERM)) == [HUNG_UP, TERMINATED]
    assert [stopped_by(code) for code in (130, HUNG_UP, TERMINATED)] == ["Ctrl-C", "SIGHUP", "SIGTERM"]


@pytest.mark.usefixtures("dispositions")
async def test_under_nohup_it_goes_on() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert await told(signal.SIGHUP, signal.SIGTERM) == [TERMINATED]


@pytest.mark.usefixtures("dispositions")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, TERMINATED), (signal.SIGHUP, HUNG_UP)])
def test_where_no_loop_runs_the_command_ends_and_closes_what_is_open(number: signal.Signals, code: int) -> None:
    def wait_for_ever() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            closed.append(True)

    closed: list[bool] = []
    with ended_by_signals(), pytest.raises(Ended) as ended:
        wait_for_ever()

    assert (closed, ended.value.code) == ([True], code)
    assert signal.getsignal(number) is signal.SIG_DFL
