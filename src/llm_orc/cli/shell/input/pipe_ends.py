"""Where standard input comes from, as far as the system tells: a pipeline, or whatever started the job."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROC = Path("/proc")
_PS = ("/bin/ps", "-A", "-o", "pid=,ppid=,pgid=")
_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    group: int


def has_neighbour_that_writes() -> bool:
    """Is standard input the end of a pipeline, as in `slow | llm-orc`?

    True if a process can write to it that didn't start this one. Where the system doesn't tell who can write, a
    process of the same pipeline counts: a shell with job control makes a process group of each. False also if
    nothing is known (Windows, and a shell without job control where the system doesn't tell).
    """
    processes, me = running_processes(), os.getpid()
    ours = _ancestry(processes, me)
    others = [one for one in processes.values() if one.pid not in ours and one.parent != me]
    group = os.getpgrp() if os.name == "posix" else me
    pipeline = [one for one in others if one.group == group] if group not in ours else []
    if not _tells_who_writes():
        return bool(pipeline)
    pipe = os.fstat(0)
    return any(_writes(one.pid, pipe, if_unknown=one in pipeline) for one in others)


def was_inherited() -> bool:
    """Is standard input what a whole job was started with, rather than what was piped to this command?

    It is if the leader of the session, which `cron` and `sshd` start, has the same; and where `CI` is set if the
    parent has the same, as the steps of GitHub Actions and GitLab CI do, or if that is not known.
    """
    if stat.S_ISREG(os.fstat(0).st_mode):
        return False
    if os.name == "posix" and (os.getsid(0) == os.getpid() or _has_our_input(os.getsid(0))):
        return True
    return bool(os.environ.get("CI")) and _has_our_input(os.getppid()) is not False


def _tells_who_writes() -> bool:
    return (_PROC / "self" / "fd").is_dir()


def _has_our_input(pid: int) -> bool | None:
    """Has the process the same standard input? None: not known."""
    try:
        return os.path.samestat((_PROC / str(pid) / "fd" / "0").stat(), os.fstat(0))
    except OSError:
        return None


def _ancestry(processes: Mapping[int, Process], me: int) -> set[int]:
    """Return this process and all that it descends from."""
    ours, one = {me}, processes.get(me)
    while one is not None and one.parent not in ours:
        ours.add(one.parent)
        one = processes.get(one.parent)
    return ours


def running_processes(*, by_ps: bool = False) -> dict[int, Process]:
    """Return all processes that can be seen, by their number. `by_ps`: ask `ps` where there is a `/proc`, too."""
    if os.name != "posix":
        return {}
    found = _from_proc() if _tells_who_writes() and not by_ps else _from_ps()
    return {process.pid: process for process in found}


def _from_proc() -> Iterator[Process]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                # pid (name) state parent group …; the name may contain anything
                _, parent, group = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:3]
            except (OSError, ValueError):
                continue
            yield Process(int(entry.name), int(parent), int(group))


def _from_ps() -> Iterator[Process]:
    import subprocess

    try:
        done = subprocess.run(_PS, capture_output=True, text=True, timeout=_LIMIT_S, check=False)  # noqa: S603 - constant
    except (OSError, subprocess.SubprocessError):
        return
    for line in done.stdout.splitlines():
        numbers = [int(word) for word in line.split() if word.isdecimal()]
        if len(numbers) == len(("pid", "parent", "group")):
            yield Process(*numbers)


def _writes(pid: int, pipe: os.stat_result, *, if_unknown: bool) -> bool:
    """Has the process this pipe open for writing?"""
    try:
        descriptors = [*(_PROC / str(pid) / "fd").iterdir()]
    except FileNotFoundError:
        return False
    except OSError:  # another user's process
        return if_unknown
    for descriptor in descriptors:
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(descriptor.stat(), pipe) and descriptor.lstat().st_mode & stat.S_IWUSR:
                return True
    return False
