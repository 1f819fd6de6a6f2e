"""`runs retry`, `runs fork` and `runs diff`, for runs and for rows of batches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

PAIR = """\
name: pair
default_task: "Judge it"
agents:
  - name: first
  - name: second
    depends_on: [first]
"""


def test_a_run_is_forked_from_an_agent_and_compared_with_the_old_one(shell: Shell) -> None:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    old = json.loads(shell.run("invoke", "./pair.yaml", "--rehearse", "--output-format", "json").stdout)

    done = shell.run("runs", "fork", "last", "--from", "second", "--output-format", "json")

    new = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert new["forked_from"] == old["run_id"]
    assert new["results"]["first"]["kept"] is True
    assert new["results"]["second"]["kept"] is False
    assert new["totals"]["calls"] == 1
    compared = shell.run("runs", "diff", old["run_id"], new["run_id"])
    assert compared.returncode == 0
    assert "=== first: same answer" in compared.stdout


def test_runs_that_differ_have_exit_code_1_and_a_diff(shell: Shell) -> None:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    ids = []
    for task in ("one thing", "another thing"):
        done = shell.run("invoke", "./pair.yaml", "--rehearse", "-i", task, "--output-format", "json")
        ids.append(json.loads(done.stdout)["run_id"])

    text, data = shell.run("runs", "diff", *ids), shell.run("runs", "diff", *ids, "--json")

    assert text.returncode == data.returncode == 1
    assert "-one thing" in text.stdout
    assert "+another thing" in text.stdout
    assert json.loads(data.stdout)["differences"][0] == {"what": "task", "a": "one thing", "b": "another thing"}


@pytest.mark.slow
def test_a_row_of_a_batch_is_shown_compared_and_retried_like_a_run(shell: Shell) -> None:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    shell.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin="one\ntwo\n")

    shown = shell.run("runs", "show", "last:2", "--json")
    compared = shell.run("runs", "diff", "last:1", "last:2")
    again = shell.run("runs", "retry", "last:1", "--all", "--output-format", "json")

    assert json.loads(shown.stdout)["input"] == "two"
    assert compared.returncode == 1
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["input"] == "one"
    assert json.loads(again.stdout)["forked_from"].endswith(":1")


@pytest.mark.slow
def test_rows_of_a_store_that_is_named_are_found_there_and_pruned(shell: Shell) -> None:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    there = ("--store", "other.sqlite")
    shell.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", *there, stdin="one\ntwo\n")

    shown = shell.run("runs", "show", "last:2", "--json", *there)
    compared = shell.run("runs", "diff", "last:1", "last:2", *there)
    again = shell.run("runs", "retry", "last:1", "--all", "--output-format", "json", *there)
    elsewhere = shell.run("runs", "show", "last:2")
    asked = shell.run("runs", "prune", "--older-than", "0", *there)
    pruned = shell.run("runs", "prune", "--older-than", "0", "--yes", *there)

    assert json.loads(shown.stdout)["input"] == "two"
    assert compared.returncode == 1
    assert json.loads(again.stdout)["input"] == "one"
    assert (elsewhere.returncode, "there are no batches yet" in elsewhere.stderr) == (1, True)
    assert "also in `other.sqlite`" in asked.stderr
    assert pruned.stderr == "Deleted 1 run.\nDeleted 1 batch.\n"
    assert shell.run("batch", "list", *there, "--json").stdout == "[]\n"


@pytest.mark.slow
def test_a_row_that_is_not_there_is_said(shell: Shell) -> None:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    shell.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin="one\n")

    done = shell.run("runs", "show", "last:7")

    assert done.returncode == 1
    assert "has no row 7" in done.stderr
