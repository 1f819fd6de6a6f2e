"""The file with all conversations. A commit survives a power failure."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.storage.patience import USUAL_PATIENCE, Patience
from llm_orc.storage.sqlite import open_database, storage_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_T = TypeVar("_T")

_MIGRATIONS = (
    """
    CREATE TABLE conversations (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        ensemble TEXT NOT NULL,
        source TEXT,
        created_at REAL NOT NULL,
        changed_at REAL NOT NULL,
        forked_from TEXT
    ) STRICT;
    CREATE INDEX conversations_by_change ON conversations (changed_at);
    CREATE TABLE system_prompts (
        number INTEGER PRIMARY KEY,
        text TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE turns (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
        agent TEXT NOT NULL,
        role TEXT NOT NULL,
        state TEXT NOT NULL,
        text TEXT NOT NULL,
        at REAL NOT NULL,
        run_id TEXT NOT NULL,
        system_prompt INTEGER REFERENCES system_prompts (number),
        model TEXT,
        provider TEXT,
        method TEXT,
        billing TEXT,
        source TEXT,
        endpoint TEXT,
        input_tokens INTEGER NOT NULL DEFAULT 0,
        output_tokens INTEGER NOT NULL DEFAULT 0,
        cache_read_tokens INTEGER NOT NULL DEFAULT 0,
        cache_write_tokens INTEGER NOT NULL DEFAULT 0,
        cost_usd REAL,
        stop_reason TEXT,
        request_id TEXT
    ) STRICT;
    CREATE INDEX turns_in_order ON turns (conversation, number);
    CREATE INDEX turns_of_agents ON turns (conversation, agent, number);
    CREATE UNIQUE INDEX turns_of_runs_once ON turns (conversation, agent, run_id, role)
        WHERE run_id <> '' AND state IN ('open', 'done');
    CREATE INDEX turns_without_end ON turns (conversation) WHERE state = 'open';
    CREATE TABLE windows (
        conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
        agent TEXT NOT NULL,
        after INTEGER NOT NULL,
        summary TEXT,
        at REAL NOT NULL,
        PRIMARY KEY (conversation, agent)
    ) STRICT;
    CREATE TABLE claims (
        conversation INTEGER PRIMARY KEY REFERENCES conversations (number) ON DELETE CASCADE,
        owner TEXT NOT NULL,
        place TEXT NOT NULL,
        process INTEGER NOT NULL,
        run_id TEXT NOT NULL,
        claimed_at REAL NOT NULL,
        heartbeat REAL NOT NULL
    ) STRICT
    """,
    "ALTER TABLE conversations ADD COLUMN chosen TEXT",
    "ALTER TABLE turns ADD COLUMN files TEXT",
)


class Database:
    """One connection, for one thread at a time. Every method but `submit` blocks: call it off the event loop."""

    def __init__(self, path: Path, patience: Patience = USUAL_PATIENCE) -> None:
        """Open or create the file. Raises `StorageError`."""
        self.path = path
        self._connection = open_database(path, _MIGRATIONS, survives_power_cut=True, patience=patience)
        self._using = threading.RLock()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None

    def close(self) -> None:
        """Write what is queued, then close the file."""
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join()
        with self._using:
            self._connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; everything done inside is committed, or nothing. Raises `StorageError`."""
        with self._using:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e

    def read(self, sql: str, values: Sequence[str | float | None] = ()) -> list[tuple[Any, ...]]:
        with self._using:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e

    def submit(self, write: Callable[[sqlite3.Connection], _T]) -> Future[_T]:
        """Queue a write; the future completes once it is durable, or with the error.

        Simultaneous writes are committed together: many agents wait for the disk together, not one by one.
        """
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_all, name="llm-orc-conversations", daemon=True)
            self._writer.start()
        job = _Job(write)
        job.done.set_running_or_notify_cancel()  # from here on it can't be cancelled
        self._queue.put(job)
        return cast("Future[_T]", job.done)

    def _write_all(self) -> None:
        closing = False
        while not closing:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get())
            closing = None in group
            jobs = [job for job in group if job is not None]
            try:
                self._write_together(jobs)
            except StorageError:
                for job in jobs:  # one by one, so that only what can't be written fails
                    self._write_alone(job)

    def _write_together(self, jobs: Sequence[_Job]) -> None:
        outcomes: list[object] = []
        with self.change() as connection:
            for job in jobs:
                connection.execute("SAVEPOINT job")
                try:
                    outcomes.append(job.write(connection))
                except sqlite3.Error:
                    raise
                except Exception as e:  # noqa: BLE001 - passed to its caller
                    connection.execute("ROLLBACK TO job")
                    outcomes.append(_Failure(e))
                connection.execute("RELEASE job")
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.tell(outcome)

    def _write_alone(self, job: _Job) -> None:
        try:
            with self.change() as connection:
                outcome = job.write(connection)
        except Exception as e:  # noqa: BLE001 - as above
            job.tell(_Failure(e))
        else:
            job.tell(outcome)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


@dataclass(frozen=True, slots=True)
class _Job:
    write: Callable[[sqlite3.Connection], object]
    done: Future[object] = field(default_factory=Future)

    def tell(self, outcome: object) -> None:
        if isinstance(outcome, _Failure):
            self.done.set_exception(outcome.error)
        else:
            self.done.set_result(outcome)
