"""Process groups end with the process that started them, even if it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")

_STARTER = r"""
import asyncio, os, sys
from pathlib import Path
from llm_orc.processes.child import Child

async def main():
    line = "read go; sleep 60 & echo $! > grandchild; wait"
    child = await Child.start(["/bin/sh", "-c", line], {"PATH": os.environ["PATH"]}, Path.cwd(), most_bytes=1000)
    await child.send(b"go\n")
    if sys.argv[1] == "stops":
        while not Path("grandchild").exists() or not Path("grandchild").read_text().strip():
            await asyncio.sleep(0.01)
        await child.stop()
        print("stopped", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self/stat").exists():
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it has ended meanwhile
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def grandchild(folder: Path) -> int:
    file = folder / "grandchild"
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if file.exists() and (text := file.read_text().strip()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("it was never started")


def ends(pid: int) -> bool:
    until = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_running(pid)


def test_what_a_child_has_started_ends_too_if_we_are_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTER, "runs"], cwd=tmp_path) as ours:
        pid = grandchild(tmp_path)
        assert is_running(pid)
        ours.send_signal(signal.SIGKILL)

    assert ends(pid)


def test_what_a_child_has_started_ends_when_it_is_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, "stops"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as ours:
        pid = grandchild(tmp_path)
        assert ours.stdout is not None
        assert ours.stdout.readline() == "stopped\n"
        assert ends(pid)
        ours.kill()
