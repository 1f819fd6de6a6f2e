"""The machine that a benchmark runs on: reserve a core, raise the limit of open files, describe the machine."""

from __future__ import annotations

import os
import platform
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER_CORE = 0
CLIENT_CORE = 1


def pin(core: int) -> None:
    """Keep this process on one core, so that server and client don't take each other's time. Linux only."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) > 1:
        os.sched_setaffinity(0, {allowed[core % len(allowed)]})


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process, and the processes that it starts within the context, on one core."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    pin(core)
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)


def raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_s() -> float:
    """Return the CPU seconds that this process has used, in user and kernel mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """Return the peak memory of this process, in MB of a million bytes."""
    per_unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * per_unit / 1e6


def description() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores: the server on one, what is measured on another"
    )
