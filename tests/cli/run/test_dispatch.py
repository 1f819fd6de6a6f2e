"""One of several ensembles runs, as an answer or an input says, and never another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

DESK = """\
name: desk
inputs: {kind: {default: legal}}
default_task: Look at this.
agents:
  - name: specialist
    dispatch: {by: "${inputs.kind}", to: {legal: legal-panel, tax: tax-panel}}
    inputs: {rate: 3}
  - {name: report, depends_on: [specialist]}
"""


@pytest.fixture
def desk(shell: Shell) -> Shell:
    shell.own_ensemble("desk", DESK)
    shell.own_ensemble("legal-panel", "name: legal-panel\nagents: [{name: a}, {name: b, depends_on: [a]}]\n")
    tax = 'name: tax-panel\ninputs: {rate: integer}\nagents: [{name: a, prompt: "${task} at ${inputs.rate}"}]\n'
    shell.own_ensemble("tax-panel", tax)
    return shell


@pytest.mark.parametrize(("kind", "within"), [("legal", ["legal/a", "legal/b"]), (" tax\n", ["tax/a"])])
def test_the_one_that_is_named_runs(desk: Shell, kind: str, within: list[str]) -> None:
    done = desk.run("invoke", "desk", "--rehearse", "--json", "--set", f"kind={kind}")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    assert list(results) == ["specialist", *(f"specialist/{name}" for name in within), "report"]
    assert results["specialist"]["response"] == results[f"specialist/{within[-1]}"]["response"]


def test_what_is_not_in_the_table_fails_the_agent_and_runs_nothing(desk: Shell, pretend: str) -> None:
    desk.talks_to(pretend)

    done = desk.run("invoke", "desk", "--json", "--set", "kind=../desk")

    results = json.loads(done.stdout)["results"]
    assert list(results) == ["specialist", "report"]
    assert results["specialist"]["error"]["code"] == "dispatch_without_target"
    assert "`${inputs.kind}` is `../desk`" in results["specialist"]["error"]["message"]


def test_otherwise_is_for_the_rest(desk: Shell, pretend: str) -> None:
    desk.talks_to(pretend)
    desk.own_ensemble("desk", DESK.replace("tax: tax-panel}", "tax: tax-panel}, otherwise: legal-panel"))

    done = desk.run("invoke", "desk", "--json", "--set", "kind=else")

    assert "specialist/otherwise/b" in json.loads(done.stdout)["results"]


def test_the_older_form_names_the_ensemble_itself(desk: Shell, pretend: str) -> None:
    desk.talks_to(pretend)
    older = DESK.replace('{by: "${inputs.kind}", to: {legal: legal-panel, tax: tax-panel}}', "${inputs.kind}")
    desk.own_ensemble("desk", older)
    open_ended = desk.run("check", "desk", "--offline")
    desk.own_ensemble("desk", older.replace("    inputs:", "    choices: [legal-panel, tax-panel]\n    inputs:"))

    done = desk.run("invoke", "desk", "--json", "--set", "kind=tax-panel")

    assert "`choices: [NAME, NAME]`" in open_ended.stdout
    assert "specialist/tax-panel/a" in json.loads(done.stdout)["results"]


def test_all_of_them_are_checked_and_have_their_access_before_anything_runs(desk: Shell, pretend: str) -> None:
    desk.talks_to(pretend)
    explained = json.loads(desk.run("explain", "desk", "--json").stdout)
    path = desk.own_ensemble("desk", DESK.replace("tax-panel", "tax-pannel").replace("rate: 3", "rat: 3"))

    wrong = json.loads(desk.run("check", "desk", "--offline", "--json").stdout)["problems"]

    assert [one["agent"] for one in explained["agents"]] == [
        "specialist/legal/a",
        "specialist/legal/b",
        "specialist/tax/a",
        "report",
    ]
    assert [(one["file"], one["line"]) for one in wrong] == [(str(path), 6)]
    assert "no ensemble is called `tax-pannel`" in wrong[0]["message"]


@pytest.mark.parametrize(
    "text",
    ["{to: {a: legal-panel}}", "{by: x, to: {}}", "{by: x, to: {a/b: legal-panel}}", "{by: x, to: {a: 3}}", "[x]"],
)
def test_tables_that_say_nothing_are_problems(desk: Shell, text: str) -> None:
    desk.own_ensemble("desk", f"name: desk\nagents: [{{name: a, dispatch: {text}}}]\n")

    assert desk.run("check", "desk", "--offline").returncode == 3
