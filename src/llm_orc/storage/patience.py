"""Wait for a database that another program has locked: not forever, and not silently."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from llm_orc.dataclass import dataclass

T = TypeVar("T")

_PAUSE_S = 0.01
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a lock; after `notice_s`, `tell` is called with one sentence, from any thread."""

    longest_s: float = 30.0
    notice_s: float = 2.0
    tell: Callable[[str], None] = lambda _sentence: None


USUAL_PATIENCE = Patience()


class PatientConnection(sqlite3.Connection):
    """A connection whose statements wait for other programs' locks with `patience`."""

    path: Path
    patience: Patience

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self._patiently(lambda: super(PatientConnection, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        rows = list(parameters)
        return self._patiently(lambda: super(PatientConnection, self).executemany(sql, rows))

    def _patiently(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.OperationalError as e:
            if not is_locked(e):
                raise
        began, has_told = time.monotonic(), False
        while True:
            time.sleep(_PAUSE_S)
            try:
                return work()
            except sqlite3.OperationalError as e:
                waited_s = time.monotonic() - began
                if not is_locked(e) or waited_s > self.patience.longest_s:
                    raise
            if waited_s > self.patience.notice_s and not has_told:
                has_told = True
                who = locker_of(self.path)
                self.patience.tell(f"Waiting for `{self.path}`, which {who} has locked.")


def open_patiently(path: Path, patience: Patience) -> PatientConnection:
    """Connect in autocommit mode. Raises `sqlite3.Error`."""
    # SQLite itself waits a moment; we wait the rest, so that it can be reported.
    connection = sqlite3.connect(
        path, timeout=0.1, isolation_level=None, check_same_thread=False, factory=PatientConnection
    )
    connection.path, connection.patience = path, patience
    return connection


def is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and (error.sqlite_errorcode or 0) & 0xFF in _BUSY


def locker_of(path: Path) -> str:
    """Name the holder of the write lock, from the kernel's list (proc(5) `locks`) if there is one."""
    try:
        parts = [part for end in ("", "-shm") if (part := path.with_name(path.name + end)).exists()]
        files = {_in_the_list(part.stat()) for part in parts}
        rows = [line.split() for line in Path("/proc/locks").read_text("ascii").splitlines()]
        pids = {row[4] for row in rows if row[3] == "WRITE" and row[5] in files} - {str(os.getpid()), "-1"}
    except (OSError, IndexError, ValueError):
        pids = set()
    return f"process {' and '.join(sorted(pids))}" if pids else "another program"


def _in_the_list(file: os.stat_result) -> str:
    return f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
