"""Agents that run in rounds, as a person and a script see them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

JUDGE = (
    "import sys, json; n = int(sys.stdin.read()); print(json.dumps({'score': 4 * n, 'advice': f'more of {n}'}))"
)
POLISH = f"""\
name: polish
default_task: a haiku
agents:
  - name: facts
  - name: revise
    loop:
      agents:
        - name: writer
          prompt: "Write ${{task}}, ${{facts}}. [${{last.judge.advice}}]"
        - {{name: judge, script: [{json.dumps(sys.executable)}, -c, {json.dumps(JUDGE)}], stdin: "${{round}}", depends_on: [writer]}}
      answer: writer
      until: ${{judge.score}} >= 8
  - {{name: end, depends_on: [revise]}}
"""
IMPROVE = """\
name: improve
default_task: a haiku
agents:
  - name: better
    loop:
      ensemble: edit
      carry: {draft: "${editor}"}
      until: ${round} == 2
    inputs: {draft: nothing}
"""
EDIT = """\
name: edit
inputs: {draft: string, n: {type: integer, default: 1}}
agents:
  - {name: editor, prompt: "Edit ${inputs.draft}"}
"""


@pytest.fixture
def polish(shell: Shell, pretend: str) -> Shell:
    shell.talks_to(pretend)
    shell.own_ensemble("polish", POLISH)
    shell.own_ensemble("improve", IMPROVE)
    shell.own_ensemble("edit", EDIT)
    return shell


def test_rounds_are_in_the_result_and_in_what_is_shown(polish: Shell) -> None:
    done = polish.run("invoke", "polish", "--json")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    assert list(results) == [
        "facts",
        "revise",
        "revise[1]/writer",
        "revise[1]/judge",
        "revise[2]/writer",
        "revise[2]/judge",
        "end",
    ]
    assert results["revise"]["rounds"] == {"number": 2, "ended": "until", "kept": 2}
    assert results["revise"]["response"] == results["revise[2]/writer"]["response"]
    assert results["facts"]["rounds"] is None
    shown = polish.run("runs", "show", "last", "--agent", "revise[1]/judge")
    assert json.loads(shown.stdout)["advice"] == "more of 1"


def test_prices_count_all_rounds_and_the_agents_are_explained(polish: Shell) -> None:
    explained = json.loads(polish.run("explain", "polish", "--json").stdout)

    assert "revise/writer" in json.dumps(explained)


def test_an_ensemble_may_run_in_rounds_with_what_is_carried(polish: Shell) -> None:
    done = polish.run("invoke", "improve", "--rehearse", "--json")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    assert ">nothing</part-" in results["better[1]/editor"]["response"]
    assert "of='input' name='draft'" in results["better[2]/editor"]["response"]


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("edit\n", "edti\n", 6, "agent `better`: no ensemble is called `edti`"),
        ("{draft: ", "{draf: ", 7, "agent `better`: ensemble `edit` has no input `draf`"),
        ("${editor}", "${editr}", 7, "agent `better`: `${editr}` names no agent"),
        ('"${editor}"', "3", 7, "agent `better`: input `draft` of ensemble `edit` must be text"),
        ("${round} == 2", "${reviewer.ok}", 8, "agent `better`: `${reviewer.ok}` names no agent"),
        ("{draft: nothing}", "{}", 9, "agent `better`: ensemble `edit` needs the input `draft`"),
    ],
)
def test_what_does_not_fit_the_ensemble_is_found_by_check(
    polish: Shell, before: str, after: str, line: int, message: str
) -> None:
    polish.own_ensemble("improve", IMPROVE.replace(before, after, 1))

    done = polish.run("check", "improve", "--offline")

    assert f"improve.yaml:{line}:" in done.stdout
    assert message in done.stdout


def test_no_answer_comes_into_a_command_through_what_is_carried(polish: Shell) -> None:
    inner = "name: inner\ninputs: {x: string}\nagents: [{name: s, script: [echo, '${inputs.x}']}]\n"
    polish.own_ensemble("inner", inner)
    edit = EDIT + "  - {name: deep, ensemble: inner, inputs: {x: '${inputs.draft}'}}\n"
    polish.own_ensemble("edit", edit)

    done = polish.run("check", "improve", "--offline")

    assert "gives an answer to `edit`, where agent `deep/s`: `${inputs.x}` is what a model" in done.stdout


def test_a_fork_from_a_round_asks_the_rounds_after_it_again(polish: Shell) -> None:
    polish.run("invoke", "polish")

    done = polish.run("runs", "fork", "last", "--from", "revise[1]/judge", "--json")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    kept = [path for path, result in results.items() if result["kept"]]
    assert kept == ["facts", "revise[1]/writer"]
