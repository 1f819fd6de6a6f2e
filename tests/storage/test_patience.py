"""A database that another program has locked: a word after a moment, an end after a while, and the right advice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_orc.errors import StorageError
from llm_orc.storage.patience import Patience
from llm_orc.storage.sqlite import open_database, storage_error, use_wal

TABLE = ("CREATE TABLE t (x)",)
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Another program that has it locked until the end of the block; yields its process id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    run = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        yield other.pid
        other.communicate()


def write_one(path: Path, patience: Patience) -> None:
    connection = open_database(path, TABLE, patience=patience)
    try:
        connection.execute("INSERT INTO t VALUES (1)")
    except sqlite3.Error as e:
        raise storage_error(path, e) from e
    finally:
        connection.close()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_locked_database_is_said_to_be_so_and_given_up_in_time(tmp_path: Path, *, is_new: bool) -> None:
    path, told = tmp_path / "state" / "db.sqlite", list[str]()
    if not is_new:
        open_database(path, TABLE).close()
    began = time.monotonic()

    with locked(path) as pid, pytest.raises(StorageError) as caught:
        write_one(path, Patience(0.6, 0.2, told.append))

    who = f"process {pid}" if sys.platform == "linux" else "another program"
    assert time.monotonic() - began < 5
    assert told == [f"Waiting for `{path}`, which {who} has locked."]
    assert f"{who} has locked it" in caught.value.message
    assert str(path) in caught.value.message
    assert "Free some space" not in (caught.value.hint or "")
    assert "--no-record" in (caught.value.hint or "")


def test_who_waits_goes_on_when_the_lock_is_gone(tmp_path: Path) -> None:
    path, told = tmp_path / "db.sqlite", threading.Event()
    connection = open_database(path, TABLE, patience=Patience(30, 0.05, lambda sentence: told.set()))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def let_go() -> None:
        told.wait(30)
        other.execute("ROLLBACK")

    letting_go = threading.Thread(target=let_go)
    letting_go.start()
    connection.execute("INSERT INTO t VALUES (1)")
    connection.executemany("INSERT INTO t VALUES (?)", [(2,), (3,)])
    letting_go.join()

    assert connection.execute("SELECT count(*) FROM t").fetchone() == (3,)
    connection.close()
    other.close()


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (sqlite3.SQLITE_FULL, "Free some space"),
        (sqlite3.SQLITE_READONLY, "permissions"),
        (sqlite3.SQLITE_CANTOPEN, "permissions"),
        (sqlite3.SQLITE_BUSY, "Wait until that program"),
        (sqlite3.SQLITE_BUSY | 2 << 8, "Wait until that program"),
        (sqlite3.SQLITE_LOCKED, "Wait until that program"),
    ],
)
def test_each_trouble_has_its_own_cure(tmp_path: Path, code: int, cure: str) -> None:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code

    assert cure in (storage_error(tmp_path / "db.sqlite", error).hint or "")


def test_the_switch_to_wal_waits_once_and_leaves_the_usual_wait_as_it_was(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db.sqlite", timeout=7)

    use_wal(connection)

    assert connection.execute("PRAGMA busy_timeout").fetchone() == (7000,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
