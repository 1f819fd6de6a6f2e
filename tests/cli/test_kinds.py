"""An agent of a kind from outside the program is read, checked, run, kept and shown as any other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.batches.postgres import Postgres, find_programs
from tests.cli.conftest import Shell

MIXED = """\
name: mixed
default_task: "no means no"
agents:
  - {name: counter, count_of: "no"}
  - {name: judge, depends_on: [counter]}
"""
PLAIN = """\
name: plain
default_task: "no means no"
agents:
  - {name: counter, count_of: "no"}
"""
COUNTED = "`no`: 2"


@pytest.fixture
def kinds(shell: Shell) -> Shell:
    """The program with the kind `count_of`, and ensembles that use it, with a model and without."""
    for name, text in (("mixed", MIXED), ("plain", PLAIN)):
        shell.own_ensemble(name, text)
    return replace(shell, module="tests.cli.with_extra_kinds")


def test_check_and_explain_say_what_needs_a_model_and_what_does_not(kinds: Shell) -> None:
    checked, plain = kinds.run("check", "mixed"), kinds.run("check", "plain")
    explained = json.loads(kinds.run("explain", "mixed", "--json").stdout)
    in_words = kinds.run("explain", "plain")

    assert checked.returncode == plain.returncode == in_words.returncode == 0, checked.stderr
    assert "  1. counter\n  2. judge\n" in checked.stdout
    assert "A run would ask no model." in plain.stdout
    assert [agent["agent"] for agent in explained["agents"]] == ["judge"]
    assert explained["without_model"] == [{"agent": "counter", "kind": "count_of"}]
    assert in_words.stdout == "counter: count_of, asks no model\n"


def test_its_keys_are_its_own_and_their_problems_have_places(kinds: Shell) -> None:
    kinds.own_ensemble("wrong", "name: wrong\nagents:\n- {name: a, count_of: 'no no', temperature: 1}\n")

    done = kinds.run("check", "wrong", "--json")

    assert done.returncode == 3
    problems = json.loads(done.stdout)["problems"]
    assert [(one["message"], one["line"]) for one in problems] == [
        ("agent `a` counts one word", 3),
        ("agent `a` has no key `temperature`", 3),
    ]


@pytest.mark.parametrize("limits", [(), ("--rehearse",), ("--max-cost", "0.01", "--max-calls", "3")])
def test_a_run_has_its_answer_as_text_and_data_at_no_cost(kinds: Shell, limits: tuple[str, ...]) -> None:
    done = kinds.run("invoke", "mixed", "--output-format", "json", *limits)

    result = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    counter = result["results"]["counter"]
    assert (counter["status"], counter["response"], counter["cost_usd"]) == ("completed", COUNTED, 0)
    assert counter["data"] == {"word": "no", "number": 2}
    assert (counter["model"], counter["access"], counter["attempts"]) == (None, None, 1)
    assert result["results"]["judge"]["status"] == "completed"
    assert result["answer"] == result["results"]["judge"]["response"]
    assert result["totals"]["calls"] == 1


@pytest.mark.slow
def test_a_run_is_resumed_and_forked_and_nothing_is_done_twice(kinds: Shell, pretend: str) -> None:
    kinds.talks_to("http://127.0.0.1:9")  # nobody is there
    failed = kinds.run("invoke", "mixed", "--output-format", "json")
    kinds.talks_to(pretend)

    resumed = kinds.run("resume", "last", "--output-format", "jsonl")
    forked = kinds.run("runs", "fork", "last", "--from", "judge", "--output-format", "json")
    text = kinds.run("runs", "show", "last", "--all")

    assert json.loads(failed.stdout)["status"] == "completed_with_errors"
    events = [json.loads(line) for line in resumed.stdout.splitlines()]
    assert [one["resumed"] for one in events if one["type"] == "run_started"] == [[], ["counter"]]
    assert [one["kind"] for one in events if one["type"] == "agent_started"] == ["count_of", "model", "model"]
    assert events[-1]["status"] == "completed"
    results = json.loads(forked.stdout)["results"]
    assert (results["counter"]["kept"], results["counter"]["response"]) == (True, COUNTED)
    assert results["judge"]["kept"] is False
    assert COUNTED in text.stdout


@pytest.mark.parametrize("name", ["mixed", "plain"])
def test_a_chat_runs_it_at_each_turn(kinds: Shell, name: str) -> None:
    done = kinds.run("chat", name, "--lines", stdin="no means no\nno more\n")

    assert done.returncode == 0, done.stderr
    assert COUNTED in done.stdout
    assert "`no`: 1" in done.stdout


def rows(kinds: Shell, *store: str) -> None:
    done = kinds.run("batch", "mixed", "--inputs", "-", *store, stdin="no means no\nno more\n")
    shown = kinds.run("runs", "show", "last:1", "--json", *store)

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line)["results"]["counter"]["response"] for line in done.stdout.splitlines()]
    assert sorted(answers) == ["`no`: 1", COUNTED]
    assert json.loads(shown.stdout)["results"]["counter"]["data"] == {"word": "no", "number": 2}


@pytest.mark.slow
def test_a_batch_runs_it_for_each_row(kinds: Shell) -> None:
    rows(kinds)


@pytest.mark.slow
@pytest.mark.skipif(find_programs() is None, reason="needs PostgreSQL's server programs; .ci/run installs them")
def test_a_batch_on_a_server_runs_it_for_each_row(kinds: Shell, postgres: Postgres) -> None:
    rows(kinds, "--store", postgres.url)


def test_without_its_row_the_kind_is_not_known(kinds: Shell) -> None:
    kinds.run("invoke", "plain")
    bare = Shell(kinds.home, kinds.cwd)

    checked, resumed = bare.run("check", "plain"), bare.run("runs", "fork", "last", "--from", "counter")

    assert checked.returncode == 3
    assert "`count_of`" in checked.stdout
    assert resumed.returncode == 1
    assert "kind" in resumed.stderr
