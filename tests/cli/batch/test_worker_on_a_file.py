"""`llm-orc worker` on a file, which has one process at a time."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.cli.conftest import Shell

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def batch_under_way(pair: Shell, rows: int) -> Iterator[subprocess.Popen[str]]:
    """A slow batch of which one row has ended."""
    (pair.cwd / "in.jsonl").write_text("".join(f'{{"firm": "firm {n}", "land": "DE"}}\n' for n in range(rows)))
    command = ("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse", "--max-concurrent", "2")
    with pair.started(*command) as batch:
        assert batch.stdout is not None
        batch.stdout.readline()
        yield batch


def test_a_worker_continues_what_was_paused_and_ends_when_all_is_done(pair: Shell) -> None:
    with batch_under_way(pair, 60) as batch:
        batch.kill()
        batch.communicate()

    held = json.loads(pair.run("workers", "--json").stdout)
    done = pair.run("worker", "--until-done")

    assert held == []  # a killed worker holds nothing
    assert done.returncode == 0, done.stderr
    assert json.loads(pair.run("batch", "status", "--json").stdout)["counts"] == {"completed": 60}
    assert "has no workers" in pair.run("workers").stderr


def test_a_worker_on_a_file_leaves_it_to_a_batch_while_it_has_nothing_to_do(pair: Shell) -> None:
    inputs = "".join(f'{{"firm": "firm {n}", "land": "DE"}}\n' for n in range(4))
    command = ("batch", "./pair.yaml", "--inputs", "-", "--rehearse", "--max-calls")
    with pair.started("worker") as worker:
        assert worker.stderr is not None
        words = [worker.stderr.readline()]

        by_itself = pair.run(*command, "8", stdin=inputs)
        left_off = pair.run(*command, "3", "--again", stdin=inputs)
        pair.run("batch", "resume", "last", "--max-calls", "8")
        worker.terminate()
        _, more = worker.communicate(timeout=30)

    assert words[0].startswith("Worker ")
    assert by_itself.returncode == 0, by_itself.stderr
    assert left_off.returncode == 1
    assert json.loads(pair.run("batch", "status", "last", "--json").stdout)["counts"] == {"completed": 4}
    assert worker.returncode == 143
    assert "mistake" not in more


def test_a_worker_that_starts_during_a_batch_waits_for_its_turn(pair: Shell) -> None:
    with batch_under_way(pair, 60) as batch, pair.started("worker", "--until-done") as worker:
        assert worker.stderr is not None
        waits = worker.stderr.readline()
        batch.kill()
        batch.communicate()
        worker.communicate(timeout=30)

    assert "works on" in waits
    assert waits.endswith("Waiting for it.\n")
    assert worker.returncode == 0
    assert json.loads(pair.run("batch", "status", "--json").stdout)["counts"] == {"completed": 60}


def test_a_second_worker_on_a_file_is_told_what_to_do(pair: Shell) -> None:
    with pair.started("worker") as first:
        assert first.stderr is not None
        first.stderr.readline()
        second = pair.run("worker")

    assert second.returncode == 1
    assert "works on" in second.stderr
    assert "--store postgresql://" in second.stderr


def test_a_worker_leaves_a_batch_alone_that_has_spent_its_budget(pair: Shell) -> None:
    command = ("batch", "./pair.yaml", "--inputs", "-", "--rehearse")
    poor = "".join(f'{{"firm": "poor {n}", "land": "DE"}}\n' for n in range(6))
    short = pair.run(*command, "--max-calls", "3", stdin=poor)
    worker = pair.run("worker", "--until-done")
    more = pair.run(*command, "--max-calls", "12", stdin=poor)

    assert short.returncode == 1
    assert "--max-calls" in short.stderr
    assert worker.returncode == 0
    assert "left alone" in worker.stderr
    assert more.returncode == 0, more.stderr
    assert {json.loads(line)["status"] for line in more.stdout.splitlines()} == {"completed"}


def test_a_store_that_breaks_while_a_worker_waits_is_reported(pair: Shell) -> None:
    with pair.started("worker", "--store", "own.sqlite") as worker:
        assert worker.stderr is not None
        worker.stderr.readline()
        with contextlib.closing(sqlite3.connect(pair.cwd / "own.sqlite", timeout=10)) as connection:
            # A table that is missing would be made anew, by a worker that is about to open the file once more.
            connection.execute("ALTER TABLE llm_orc_rows RENAME COLUMN state TO other")
        _, said = worker.communicate(timeout=30)

    assert worker.returncode == 1
    assert "error: can't use the store" in said
    assert "no such column" in said
