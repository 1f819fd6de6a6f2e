"""Runs with servers that are killed at random, they or we: no process is left."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from llm_orc.errors import ToolServerFailed
from tests.mcp.test_stdio import server
from tests.processes.test_death import is_running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="each run is a fork of one that has everything loaded"),
]

_RUNS = 300
_AT_ONCE = 6
_LEFT_S = 2.0  # after which nothing may be left
_FORKS = """
import asyncio, os, sys
from tests.mcp.test_killed import run_forever

for line in sys.stdin:  # one run for each line
    if (pid := os.fork()) == 0:
        asyncio.run(run_forever())
        os._exit(0)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""


async def run_forever() -> None:
    """Call a tool again and again; the first call says which processes there are, ours first."""
    client = server("stubborn")
    said = await client.call("spawn", {})
    print(os.getpid(), said.text, flush=True)
    while True:
        with suppress(ToolServerFailed):  # it was killed: the next call starts it again
            await client.call("add", {"a": 1, "b": 1})
        await asyncio.sleep(0.005)


def left_of(pids: list[int], limit_s: float) -> list[int]:
    until = time.monotonic() + limit_s
    while (left := [pid for pid in pids if is_running(pid)]) and time.monotonic() < until:
        time.sleep(0.01)
    return left


def children_of(pid: int) -> list[int]:
    """Return its children and theirs, where the system tells them."""
    found: list[int] = []
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            found += [int(child), *children_of(int(child))]
    return found


def kill(pid: int, by: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, by)


def runs_killed_at_random(seed: int, count: int) -> list[str]:
    """Start runs, kill their server or them after any time, and return what was left of any."""
    chance, wrong = random.Random(seed), list[str]()
    with subprocess.Popen(
        [sys.executable, "-c", _FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        for number in range(count):
            forks.stdin.write("run\n")
            ours, theirs, grandchild = (int(word) for word in forks.stdout.readline().split())
            pids = [ours, theirs, grandchild]
            if kills_server := chance.random() < 0.5:
                kill(theirs, signal.SIGKILL)
                if left := left_of([theirs], _LEFT_S):
                    wrong.append(f"run {number}: {left} was killed and is left")
            time.sleep(chance.uniform(0, 0.03))  # any moment: while it starts again, lists, or calls
            pids += children_of(ours)
            kill(ours, chance.choice([signal.SIGKILL, signal.SIGTERM]))
            forks.stdout.readline()
            if left := left_of(pids, _LEFT_S):
                wrong.append(f"run {number} (server killed before: {kills_server}): {left}")
        forks.stdin.close()
    return wrong


async def test_no_process_is_left_of_runs_whose_servers_or_they_are_killed_at_random() -> None:
    lots = (asyncio.to_thread(runs_killed_at_random, seed, _RUNS // _AT_ONCE) for seed in range(_AT_ONCE))

    assert [wrong for lot in await asyncio.gather(*lots) for wrong in lot] == []
