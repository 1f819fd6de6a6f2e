"""Runs are found again, shown as they were, exported and deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


@pytest.fixture
def run_id(shell: Shell) -> str:
    """The id of a run of `panel`, the only one there is."""
    done = shell.run("invoke", "panel", "--quiet", "--output-format", "json")
    found: str = json.loads(done.stdout)["run_id"]
    return found


def test_an_empty_list_says_what_to_do_next(shell: Shell) -> None:
    done = shell.run("runs", "list")

    assert (done.returncode, done.stdout) == (0, "")
    assert "llm-orc invoke" in done.stderr
    assert json.loads(shell.run("runs", "list", "--json").stdout) == []


def test_a_run_is_listed_whole_in_a_pipe_and_as_json(shell: Shell, run_id: str) -> None:
    row = shell.run("runs", "list").stdout.rstrip("\n").split("\t")
    value = json.loads(shell.run("runs", "list", "--json").stdout)[0]

    assert row[:4] == [run_id, "panel", "completed", "3/3"]
    assert {key: value[key] for key in ("run_id", "ensemble", "status", "agents", "finished", "sandbox")} == {
        "run_id": run_id,
        "ensemble": "panel",
        "status": "completed",
        "agents": 3,
        "finished": 3,
        "sandbox": False,
    }


def test_a_run_shown_again_is_the_result_it_gave(shell: Shell) -> None:
    first = shell.run("invoke", "panel", "--quiet", "--output-format", "json")

    again = shell.run("runs", "show", "--json")

    assert json.loads(again.stdout) == json.loads(first.stdout)


def test_an_export_has_every_recorded_event(shell: Shell, run_id: str) -> None:
    shell.run("runs", "export", run_id, "--output-format", "jsonl", "-o", "events.jsonl")

    events = [json.loads(line) for line in (shell.cwd / "events.jsonl").read_text().splitlines()]
    assert events[0]["run_id"] == run_id
    assert [e["type"] for e in events].count("agent_finished") == 3
    assert events[-1]["type"] == "run_finished"


def test_delete_asks_and_then_deletes_for_good(shell: Shell, run_id: str) -> None:
    refused = shell.run("runs", "delete", run_id)
    deleted = shell.run("runs", "delete", run_id, "--yes")

    assert refused.returncode == 2
    assert "hint: Agree with --yes." in refused.stderr
    assert (deleted.returncode, deleted.stderr) == (0, "Deleted 1 run.\n")
    assert shell.run("runs", "show", run_id).returncode == 1


def test_prune_leaves_what_is_young(shell: Shell, run_id: str) -> None:
    done = shell.run("runs", "prune", "--older-than", "1", "--yes")

    assert done.stderr == "Deleted 0 runs.\n"
    assert run_id in shell.run("runs", "list").stdout


def test_resuming_a_completed_run_shows_it_and_asks_nobody(shell: Shell, run_id: str) -> None:
    done = shell.run("resume", run_id, "--output-format", "json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["run_id"] == run_id


@pytest.mark.slow
@pytest.mark.parametrize("days", ["nan", "inf", "1e300", "-1"])
def test_prune_refuses_a_number_of_days_that_is_none(shell: Shell, days: str) -> None:
    done = shell.run("runs", "prune", f"--older-than={days}", "--yes")

    assert done.returncode == 2
    assert "error in llm-orc" not in done.stderr
