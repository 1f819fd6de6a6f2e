"""`cache` as a user meets it: on the command line, in batches, and in its own commands."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell

ONE = """\
name: one
agents:
  - {name: a, prompt: "Say ${task}", cache: true}
"""


@pytest.fixture
def cached(shell: Shell) -> Shell:
    shell.own_ensemble("one", ONE)
    return shell


def test_the_second_run_says_whose_answer_it_gives_and_the_cache_can_be_cleared(cached: Shell) -> None:
    first = json.loads(cached.run("invoke", "one", "it", "--json").stdout)
    second = cached.run("invoke", "one", "it")
    size = json.loads(cached.run("cache", "show", "--json").stdout)
    cleared = cached.run("cache", "clear")
    third = json.loads(cached.run("invoke", "one", "it", "--json", "--no-cache").stdout)

    assert f"from the cache, not paid for again (run {first['run_id']})" in second.stderr
    assert (size["answers"], size["bytes"] > 0) == (1, True)
    assert cleared.stderr == "Deleted 1 answer from the cache.\n"
    assert third["results"]["a"]["cached"] is None
    assert "0 answers" in cached.run("cache", "show").stdout


def test_both_options_at_once_are_a_mistake(cached: Shell) -> None:
    done = cached.run("invoke", "one", "it", "--no-cache", "--refresh-cache")

    assert done.returncode == 2
    assert "exclude each other" in done.stderr


@pytest.mark.slow
def test_an_unchanged_row_of_a_batch_is_not_asked_about_twice(cached: Shell) -> None:
    rows = ("batch", "one", "--inputs", "-", "--output-format", "jsonl")
    first = cached.run(*rows, stdin="x\ny\n")
    again = cached.run(*rows, stdin="x\ny\nz\n")
    anew = cached.run(*rows, "--again", "--refresh-cache", stdin="x\ny\nz\n")

    assert [calls(done.stdout) for done in (first, again, anew)] == [2, 1, 3], again.stderr


def calls(lines: str) -> int:
    return sum(json.loads(line)["totals"]["calls"] for line in lines.splitlines())
