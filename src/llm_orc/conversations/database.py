"""The one file that holds all conversations. A commit here survives a power cut."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llm_orc.storage.sqlite import open_database, storage_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

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
)


class Database:
    """One connection, for one thread at a time. Every method blocks: call it off the event loop."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises `StorageError`."""
        self.path = path
        self._connection = open_database(path, _MIGRATIONS, survives_power_cut=True)
        self._using = threading.RLock()

    def close(self) -> None:
        with self._using:
            self._connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; all that is done inside is kept, or none of it. Raises `StorageError`."""
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
