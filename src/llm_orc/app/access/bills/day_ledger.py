"""What all processes of this user have spent today on metered calls, in one private file.

Each process that reserves holds a lock file of its own while it lives. What one that has died had reserved counts
as spent: its calls may have been billed. A reservation counts for the day on which it was made.
"""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.storage.lock import exclusive
from llm_orc.storage.sqlite import open_database, storage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_ROUNDING_USD = 1e-9
_MIGRATIONS = (
    """
    CREATE TABLE days (day TEXT PRIMARY KEY, spent_usd REAL NOT NULL) STRICT;
    CREATE TABLE reservations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        day TEXT NOT NULL,
        process TEXT NOT NULL,
        usd REAL NOT NULL
    ) STRICT;
    """,
)


@dataclass(frozen=True, slots=True)
class DaySpending:
    """What counts for one day, in US dollars. `reserved_usd` is for calls in progress."""

    day: str  # the local date: 2026-11-28
    spent_usd: float = 0.0
    reserved_usd: float = 0.0

    @property
    def counted_usd(self) -> float:
        return self.spent_usd + self.reserved_usd


@dataclass(frozen=True, slots=True)
class Reserve:
    """Reserve `usd`, if that keeps the day below `limit_usd`."""

    usd: float
    limit_usd: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Replace a reservation by what its call has cost."""

    reservation: int
    spent_usd: float


@dataclass(frozen=True, slots=True)
class Refused:
    """It doesn't fit. `may_fit_later`: calls in progress may leave enough."""

    today: DaySpending
    may_fit_later: bool


class DayLedger:
    """Opened when it is first used; any thread may use it. Everything raises `StorageError`."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """`now` returns Unix seconds. The lock files of processes are beside `path`."""
        self.path, self._now = path, now
        self._lock = Lock()
        self._stack = ExitStack()
        self._opened: sqlite3.Connection | None = None
        self._process = uuid.uuid4().hex

    def apply(self, changes: Sequence[Reserve | Settle]) -> list[int | Refused | None]:
        """Make all changes in one transaction, in order. Return the id of each reservation that was made."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                outcomes = [self._change(connection, change) for change in changes]
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            return outcomes

    def close(self) -> None:
        """Whatever is still reserved counts as spent from now on."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None
            self._stack.close()

    def _change(self, connection: sqlite3.Connection, change: Reserve | Settle) -> int | Refused | None:
        if isinstance(change, Settle):
            _settle(connection, change.reservation, change.spent_usd)
            return None
        day = day_of(self._now())
        today = _spending(connection, day)
        if not _fits(today.counted_usd, change) and self._settle_dead(connection):
            today = _spending(connection, day)
        if not _fits(today.counted_usd, change):
            return Refused(today, may_fit_later=today.reserved_usd > 0 and _fits(today.spent_usd, change))
        values = (day, self._process, change.usd)
        made = connection.execute("INSERT INTO reservations (day, process, usd) VALUES (?, ?, ?)", values)
        return made.lastrowid

    def _settle_dead(self, connection: sqlite3.Connection) -> bool:
        """Count the reservations of processes that are gone as spent. Return whether there were any."""
        others = "SELECT DISTINCT process FROM reservations WHERE process != ?"
        dead = [name for (name,) in connection.execute(others, (self._process,)).fetchall() if self._is_dead(name)]
        for process in dead:
            of = "SELECT id, usd FROM reservations WHERE process = ?"
            for reservation, usd in connection.execute(of, (process,)).fetchall():
                _settle(connection, reservation, usd)
            _remove(self._lock_file(process))
        return bool(dead)

    def _is_dead(self, process: str) -> bool:
        path = self._lock_file(process)
        if not path.exists():
            return True
        with exclusive(path) as is_free:
            return is_free

    def _lock_file(self, process: str) -> Path:
        return self.path.parent / "spending" / f"{process}.lock"

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._opened is None:
                    self._open()
                assert self._opened is not None
                yield self._opened
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e

    def _open(self) -> None:
        lock = self._lock_file(self._process)
        self._stack.callback(_remove, lock)  # after its release: no other process has this name
        if not self._stack.enter_context(exclusive(lock)):
            raise StorageError(f"can't lock `{lock}`")
        self._opened = open_database(self.path, _MIGRATIONS)


def spending_of_today(path: Path, now: float) -> DaySpending:
    """Look at the file, and change nothing. Raises `StorageError`."""
    day = day_of(now)
    if not path.exists():
        return DaySpending(day)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            return _spending(connection, day)
    except sqlite3.Error as e:
        raise storage_error(path, e) from e


def day_of(now: float) -> str:
    """Return the local date at this time, in Unix seconds."""
    return datetime.fromtimestamp(now).date().isoformat()  # noqa: DTZ006 - the user's own day


def _spending(connection: sqlite3.Connection, day: str) -> DaySpending:
    spent = connection.execute("SELECT spent_usd FROM days WHERE day = ?", (day,)).fetchone()
    (reserved,) = connection.execute(
        "SELECT COALESCE(SUM(usd), 0.0) FROM reservations WHERE day = ?", (day,)
    ).fetchone()
    return DaySpending(day, 0.0 if spent is None else spent[0], reserved)


def _settle(connection: sqlite3.Connection, reservation: int, spent_usd: float) -> None:
    """Settling one again changes nothing."""
    of = connection.execute("DELETE FROM reservations WHERE id = ? RETURNING day", (reservation,)).fetchall()
    for (day,) in of:
        connection.execute("INSERT OR IGNORE INTO days VALUES (?, 0.0)", (day,))
        connection.execute("UPDATE days SET spent_usd = spent_usd + ? WHERE day = ?", (spent_usd, day))


def _remove(lock: Path) -> None:
    with suppress(OSError):  # on Windows, while another process looks whether it is free
        lock.unlink(missing_ok=True)


def _fits(counted_usd: float, change: Reserve) -> bool:
    """Also false if the limit is not a number."""
    return counted_usd + change.usd <= change.limit_usd + _ROUNDING_USD
