"""What a person and a script see of agents that their conditions left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

ROUTED = """\
name: routed
inputs: {kind: {enum: [legal, tax], default: legal}}
default_task: Look at this.
agents:
  - name: legal
    when: ${inputs.kind} == 'legal'
  - name: tax
    when: ${inputs.kind} == 'tax'
  - name: writer
    prompt: "Write: ${legal} ${tax}"
    depends_on: [legal, tax]
"""


def test_agents_left_out_are_no_failure_and_said_to_be_left_out(shell: Shell) -> None:
    shell.own_ensemble("routed", ROUTED)

    done = shell.run("invoke", "routed", "--rehearse", "--output-format", "json", "--set", "kind=tax")
    lines = shell.run("runs", "show", "last", "--output-format", "jsonl").stdout.splitlines()
    shown = shell.run("runs", "show", "last", "--output-format", "markdown")

    result = json.loads(done.stdout)
    assert (done.returncode, result["status"]) == (0, "completed")
    assert {name: (one["status"], one["reason"]) for name, one in result["results"].items()} == {
        "tax": ("completed", None),
        "legal": ("skipped", "condition"),
        "writer": ("completed", None),
    }
    assert "legal: skipped: its condition is false" in done.stderr
    assert [e["reason"] for e in map(json.loads, lines) if e["type"] == "agent_skipped"] == ["condition"]
    assert "Skipped: its condition is false." in shown.stdout


def test_a_condition_that_is_wrong_is_found_by_check_at_its_place(shell: Shell) -> None:
    shell.own_ensemble("routed", ROUTED.replace("== 'tax'", "== 'taxes'"))

    done = shell.run("check", "routed", "--offline")

    assert done.returncode == 3
    assert (
        "~/.config/llm-orc/ensembles/routed.yaml:8:29: agent `tax`: input `kind` is never `taxes`" in done.stdout
    )
    assert "Did you mean `tax`?" in done.stdout + done.stderr


def test_rows_of_a_batch_have_their_own_conditions(shell: Shell) -> None:
    shell.own_ensemble("routed", ROUTED)

    done = shell.run(
        "batch", "routed", "--inputs", "-", "--rehearse", "--ordered", stdin='{"kind": "tax"}\n{"kind": "legal"}\n'
    )

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["completed", "completed"], done.stderr
    answered = [
        {name for name, answer in row["results"].items() if answer["status"] == "completed"} for row in rows
    ]
    assert answered == [{"tax", "writer"}, {"legal", "writer"}]


GATE = """\
name: gate
default_task: Look.
inputs: {strict: {type: boolean, default: false}}
fails_when: ${inputs.strict}
agents:
  - name: report
"""


def test_fails_when_is_the_exit_code_of_a_run_that_completed(shell: Shell) -> None:
    shell.own_ensemble("gate", GATE)

    passed = shell.run("invoke", "gate", "--rehearse", "--output-format", "json")
    failed = shell.run("invoke", "gate", "--rehearse", "--output-format", "json", "--set", "strict=true")

    assert (passed.returncode, json.loads(passed.stdout)["fails_because"]) == (0, None)
    result = json.loads(failed.stdout)
    assert (failed.returncode, result["status"], result["fails_because"]) == (1, "completed", "`${inputs.strict}`")
    assert "fails by its ensemble's `fails_when`: `${inputs.strict}`" in failed.stderr


def test_an_answer_that_its_condition_left_out_is_no_error(shell: Shell) -> None:
    shell.own_ensemble("routed", ROUTED.partition("  - name: writer")[0])

    done = shell.run("invoke", "routed", "--rehearse")

    assert (done.returncode, done.stdout) == (0, "")
    assert "error" not in done.stderr
    assert "There is no answer from `tax`: it was skipped: its condition is false" in done.stderr
