"""A store that several programs open at once, and one of a newer release."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llm_orc.batches.database import close_engine, open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import METADATA, SCHEMA
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

_OPENER = """
import sys
from pathlib import Path
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
store_url = parse_store_url(sys.argv[1], Path())
print("ready", flush=True)
sys.stdin.readline()
open_engine(store_url).dispose()
"""


def tables_of(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.mark.slow
def test_programs_that_open_a_new_store_at_once_all_get_it(tmp_path: Path) -> None:
    path = tmp_path / "batches.sqlite"
    command = [sys.executable, "-c", _OPENER, str(path)]
    with contextlib.ExitStack() as stack:
        openers = [
            stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            for _ in range(3)
        ]
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "ready\n"
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write("\n")
            opener.stdin.flush()
        said = [opener.communicate(timeout=60)[1] for opener in openers]

    assert said == [""] * 3
    assert tables_of(path) == set(METADATA.tables)


def test_a_store_of_a_newer_release_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "batches.sqlite"
    store_url = parse_store_url(str(path), tmp_path)
    open_engine(store_url).dispose()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE llm_orc_store SET schema = ?", (SCHEMA + 1,))
        connection.execute("DROP TABLE llm_orc_workers")  # as if it had none

    with pytest.raises(StorageError, match="newer release") as refused:
        open_engine(store_url)

    assert str(path) in str(refused.value)
    assert "Upgrade" in (refused.value.hint or "")
    assert "llm_orc_workers" not in tables_of(path)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_only_the_user_can_read_what_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    engine = open_engine(parse_store_url(str(folder / "batches.sqlite"), tmp_path))

    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    engine.dispose()

    assert modes["batches.sqlite"] == modes["batches.sqlite-wal"] == modes["batches.sqlite-shm"] == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()

    with pytest.raises(StorageError, match="is not a batch store"):
        open_engine(parse_store_url(str(path), tmp_path))

    assert path.read_bytes() == before


def test_a_connection_that_a_thread_still_uses_is_closed_when_it_is_given_back(tmp_path: Path) -> None:
    engine = open_engine(parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path))
    in_use = engine.raw_connection()
    connection = in_use.driver_connection

    close_engine(engine)
    in_use.close()

    assert connection is not None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_store_of_an_earlier_release_gets_the_tables_and_columns_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "batches.sqlite"
    open_engine(parse_store_url(str(path), tmp_path)).dispose()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE llm_orc_plan_waits")
        for table, column in (("batches", "max_total_tokens"), ("rows", "tokens"), ("holds", "path")):
            connection.execute(f"ALTER TABLE llm_orc_{table} DROP COLUMN {column}")
        connection.execute("UPDATE llm_orc_store SET schema = 1")
        connection.commit()

    for _ in range(2):
        open_engine(parse_store_url(str(path), tmp_path)).dispose()

    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT schema FROM llm_orc_store").fetchall() == [(SCHEMA,)]
        assert connection.execute("SELECT max_total_tokens FROM llm_orc_batches").fetchall() == []
        assert connection.execute("SELECT r.tokens, h.path FROM llm_orc_rows r, llm_orc_holds h").fetchall() == []
    assert "llm_orc_plan_waits" in tables_of(path)
