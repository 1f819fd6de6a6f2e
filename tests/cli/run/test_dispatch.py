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
    desk.own_ensemble("desk", older.replace("    inputs: {rate: 3}\n", ""))
    open_ended = desk.run("check", "desk", "--offline")
    for i in range(20):
        desk.own_ensemble(f"other-{i}", f"name: other-{i}\nagents: [{{name: a}}]\n")
    too_open = desk.run("check", "desk", "--offline")
    desk.own_ensemble("desk", older.replace("    inputs:", "    choices: [legal-panel, tax-panel]\n    inputs:"))

    done = desk.run("invoke", "desk", "--json", "--set", "kind=tax-panel")

    assert "hint: Say so in the file: `choices: [legal-panel]`." in open_ended.stdout
    assert "hint: List them in agent `specialist`: `choices: [NAME, NAME]`." in too_open.stdout
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


OLDER = """\
name: older
description: d
agents:
  - {name: router, script: "echo '{\\"target\\": \\"%s\\", \\"question\\": \\"Why?\\"}'"}
  - {name: seat, dispatch: "${router.target}", input_key: question, depends_on: [router]}
"""


def test_without_choices_those_may_run_that_its_file_names(desk: Shell, pretend: str) -> None:
    desk.talks_to(pretend)
    desk.own_ensemble("broken", "name: broken\nagents: [{name: a, script: nowhere.py}]\n")
    desk.own_ensemble("older", OLDER % "legal-panel")

    done = desk.run("invoke", "older", "Well?", "--json")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    assert list(results) == ["router", "seat", "seat/legal-panel/a", "seat/legal-panel/b"]
    assert 'I was asked: "Why?".' in results["seat/legal-panel/a"]["response"]
    [remark] = [line for line in done.stderr.splitlines() if "agent `seat` may run" in line]
    assert remark.endswith("older.yaml:5:18: agent `seat` may run `legal-panel`")


def test_without_choices_and_names_those_beside_it_may_run_and_no_other(desk: Shell, pretend: str) -> None:
    desk.talks_to(pretend)
    desk.own_ensemble("broken", "name: broken\nagents: [{name: a, script: nowhere.py}]\n")
    desk.own_ensemble("circle", "name: circle\nagents: [{name: a, ensemble: older}]\n")
    desk.own_ensemble("older", OLDER % "../secret")

    done = desk.run("invoke", "older", "Well?", "--json")

    results = json.loads(done.stdout)["results"]
    assert list(results) == ["router", "seat"]
    assert results["seat"]["error"]["code"] == "dispatch_without_target"
    [remark] = [line for line in done.stderr.splitlines() if "agent `seat` may run" in line]
    assert "may run `desk`, `legal-panel`, `tax-panel`" not in remark  # it needs an input
    assert "may run `desk`, `legal-panel`; not `broken`: agent `a` runs the file `nowhere.py`" in remark
    assert "not `circle`: agent `a`: ensembles run each other: `older → circle → older`" in remark
    assert "not `tax-panel`: agent `seat`: ensemble `tax-panel` needs the input `rate`" in remark
