"""The answers of earlier runs, in one private file that stays below a size."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.output import AgentOutput
from llm_orc.dataclass import dataclass
from llm_orc.runs.wire import encode
from llm_orc.storage.sqlite import open_database, storage_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

MOST_BYTES = 256 * 1024**2  # of all answers
_LARGEST_SHARE = 16  # no answer is larger than this part of all
_UNCOUNTED_SHARE = 64  # after this part of all is written, the size is counted again: others write as well
_MIGRATIONS = (
    """
    CREATE TABLE answers (
        key BLOB PRIMARY KEY,
        stored_at REAL NOT NULL,
        used_at REAL NOT NULL,
        size INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX answers_by_use ON answers (used_at);
    CREATE TABLE secret (value BLOB NOT NULL);
    """,
)


@dataclass(frozen=True, slots=True)
class CacheSize:
    answers: int
    size_bytes: int


# Made with the module, not in the threads that use it: see `runs.recipe.decode_recipe`.
_read = msgspec.json.Decoder(AgentOutput)


class AnswerStore:
    """Answers by a digest of everything that shapes them. Opened when it is first used; any thread may use it.

    The digest is keyed with a secret of the file, so that nobody can try out from it what was asked. Everything
    raises `StorageError`.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self.path, self._most_bytes = path, most_bytes
        self._lock = Lock()
        self._opened: sqlite3.Connection | None = None
        self._secret = b""
        self._room = 0  # bytes that are written before all are counted, which takes time

    def key(self, shape: JsonValue) -> bytes:
        """Return what an answer of this shape is stored under."""
        with self._connection():
            return blake2b(_encoded(shape), key=self._secret).digest()

    def find(self, key: bytes, now: float, for_s: float | None) -> AgentOutput | None:
        """Return the answer, unless it was stored more than `for_s` ago. It counts as used."""
        with self._connection() as connection:
            row = connection.execute("SELECT stored_at, body FROM answers WHERE key = ?", (key,)).fetchone()
            if row is None or (for_s is not None and now - row[0] > for_s):
                return None
            try:
                output = _read.decode(row[1])
            except msgspec.MsgspecError:  # of another release
                return None
            connection.execute("UPDATE answers SET used_at = ? WHERE key = ?", (now, key))
            return output

    def keep(self, key: bytes, output: AgentOutput, now: float) -> None:
        """Store the answer; those that were not used for the longest time make room."""
        body = encode(output)
        if len(body) > self._most_bytes // _LARGEST_SHARE:
            return
        with self._connection() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", (key, now, now, len(body), body)
            )
            self._room -= len(body)
            if self._room < 0:
                self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        (total,) = connection.execute("SELECT SUM(size) FROM answers").fetchone()
        while total > self._most_bytes:
            oldest, size = connection.execute("SELECT key, size FROM answers ORDER BY used_at LIMIT 1").fetchone()
            connection.execute("DELETE FROM answers WHERE key = ?", (oldest,))
            total -= size
        self._room = min(self._most_bytes - total, self._most_bytes // _UNCOUNTED_SHARE)

    def size(self) -> CacheSize:
        with self._connection() as connection:
            answers, size = connection.execute("SELECT COUNT(*), COALESCE(SUM(size), 0) FROM answers").fetchone()
            return CacheSize(answers, size)

    def clear(self) -> CacheSize:
        """Delete all answers, and return how many there were."""
        before = self.size()
        with self._connection() as connection:
            connection.execute("DELETE FROM answers")
            connection.execute("VACUUM")
        return before

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._opened is None:
                    self._opened = open_database(self.path, _MIGRATIONS)
                    self._secret = _secret_of(self._opened)
                yield self._opened
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e


def _secret_of(connection: sqlite3.Connection) -> bytes:
    """Return the secret of the file, which the first process that opens it chooses."""
    connection.execute("INSERT INTO secret SELECT ? WHERE NOT EXISTS (SELECT 1 FROM secret)", (os.urandom(32),))
    (secret,) = connection.execute("SELECT value FROM secret").fetchone()
    return bytes(secret)


def _encoded(shape: JsonValue) -> bytes:
    try:
        return msgspec.json.encode(shape, order="deterministic")
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(shape, sort_keys=True).encode()
