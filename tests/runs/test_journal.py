"""The journal file: private, findable, damaged or newer files told apart, and kept through kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from llm_orc.errors import RunNotFound, StorageError
from llm_orc.runs.filter import RunFilter
from llm_orc.runs.journal import Entries, Journal
from llm_orc.runs.recipe import encode_recipe, find_run, load_run
from llm_orc.runs.wire import encode_event
from tests.runs.conftest import events_of_a_run, new_run, recipe


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes; its user folders are private")
def test_the_file_and_its_companions_are_for_their_owner_only(journal: Journal, path: Path) -> None:
    journal.begin(new_run("run-1", "a"))

    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert set(modes) == {"runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_runs_are_listed_from_the_newest(journal: Journal) -> None:
    for i in range(5):
        journal.begin(new_run(f"run-{i}", "a", started_at=1000.0 + i))

    assert [row.run_id for row in journal.runs(limit=2)] == ["run-4", "run-3"]
    assert journal.runs(RunFilter(ensemble="another")) == []


@pytest.mark.parametrize("text", ["20260102-101112-abcdef", "20260102", "abcdef", "last"])
def test_a_run_is_found_by_its_id_or_either_end_of_it(journal: Journal, text: str) -> None:
    journal.begin(new_run("20260101-000000-000111", "a", started_at=1.0))
    journal.begin(new_run("20260102-101112-abcdef", "a", started_at=2.0))

    assert find_run(journal, text) == "20260102-101112-abcdef"


@pytest.mark.parametrize(
    ("text", "said"), [("nope", "no run `nope`"), ("2026", "matches 2 runs"), ("%", "no run")]
)
def test_a_text_that_names_no_single_run_says_so(journal: Journal, text: str, said: str) -> None:
    journal.begin(new_run("20260101-000000-000111", "a"))
    journal.begin(new_run("20260102-101112-abcdef", "a"))

    with pytest.raises(RunNotFound, match=said):
        find_run(journal, text)


def test_turns_of_chats_in_a_file_of_an_earlier_release_are_known_as_such(journal: Journal, path: Path) -> None:
    for name, is_chat in (("run-1", False), ("run-2", True)):
        said = replace(recipe("a"), is_chat=is_chat, task='with "is_chat":true in it')
        journal.begin(replace(new_run(name, "a"), recipe=encode_recipe(said)))
    journal.close()
    with sqlite3.connect(path) as connection:
        for index in ("kind", "ensemble", "status"):
            connection.execute(f"DROP INDEX runs_by_{index}")
        connection.execute("ALTER TABLE runs DROP COLUMN run_kind")
        connection.execute("DROP TABLE run_files")
        connection.execute("PRAGMA user_version = 2")
    connection.close()

    again = Journal(path)
    kinds = {row.run_id: row.kind for row in again.runs()}
    again.close()

    assert kinds == {"run-1": "ensemble", "run-2": "chat"}


def test_deleting_a_run_deletes_its_answers_from_the_file(journal: Journal, path: Path) -> None:
    journal.begin(new_run("run-1", "a"))
    kept: list[BaseException | None] = []
    events = [encode_event(e) for e in events_of_a_run("run-1", "a")]
    journal.append(Entries("run-1", events, None, kept.append))
    journal.close()
    assert kept == [None]
    again = Journal(path)

    deleted = again.delete(["run-1", "no-such-run"])

    assert deleted == 1
    assert again.events("run-1") == []
    again.close()
    assert b"answer of a" not in path.read_bytes()


def test_a_file_that_is_no_database_is_named_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are my notes, not a database" * 50)

    with pytest.raises(StorageError, match=r"runs\.sqlite.*not a database"):
        Journal(path)

    assert path.read_bytes() == b"these are my notes, not a database" * 50


def test_a_file_of_a_newer_release_is_refused_and_left_as_it_is(journal: Journal, path: Path) -> None:
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="newer release"):
        Journal(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")

    with pytest.raises(StorageError, match="state"):
        Journal(tmp_path / "state" / "runs.sqlite")


WRITER = """
import sys
import threading
from pathlib import Path
from llm_orc.runs.journal import Entries, Journal
from llm_orc.runs.wire import encode_event
from tests.runs.conftest import events_of_a_run, new_run

journal = Journal(Path(sys.argv[1]))
journal.begin(new_run("run-1", "a"))
event = encode_event(events_of_a_run("run-1", "a")[2])
under_way = threading.Semaphore(20)

def told(failure, seq):
    assert failure is None
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
    under_way.release()

for seq in range(100000):
    under_way.acquire()
    journal.append(Entries("run-1", [event], None, lambda failure, seq=seq: told(failure, seq)))
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")
@pytest.mark.parametrize("after", [1, 40, 333, 1500])
def test_what_was_said_to_be_written_survives_a_kill(path: Path, after: int) -> None:
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(after)]

    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()

    journal = Journal(path)
    stored = load_run(journal, "run-1")
    journal.close()
    assert len(stored.events) >= len(told) >= after
    assert stored.next_seq == len(stored.events)


def test_two_processes_write_their_runs_into_one_file(path: Path) -> None:
    script = WRITER.replace("100000", "200").replace('"run-1"', "sys.argv[2]") + "\njournal.close()\n"
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), f"run-{i}"], stdout=subprocess.DEVNULL, cwd=root
        )
        for i in range(3)
    ]

    codes = [writer.wait() for writer in writers]

    journal = Journal(path)
    counts = [len(journal.events(f"run-{i}")) for i in range(3)]
    journal.close()
    assert codes == [0, 0, 0]
    assert counts == [200, 200, 200]
