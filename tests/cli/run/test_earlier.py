"""Ensembles as earlier releases wrote them, run: statuses, and what each agent is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

ECHO = "import sys; sys.stdout.write(sys.stdin.read())"
EMIT = """\
import json
print(json.dumps({"success": True, "topics": ["x", "y"], "question": "Why?", "flag": True, "no": ""}))
"""


@pytest.fixture
def earlier(shell: Shell, pretend: str) -> Shell:
    """A home with two scripts: `emit.py` answers an object, `fail.py` fails."""
    shell.talks_to(pretend)
    folder = shell.config.with_name("scripts")
    folder.mkdir()
    (folder / "emit.py").write_text(EMIT)
    (folder / "echo.py").write_text(ECHO)
    (folder / "fail.py").write_text("raise SystemExit('broken')")
    shell.own_ensemble("child", "name: child\ndescription: d\nagents: [{name: one, model_profile: default}]\n")
    return shell


def run(shell: Shell, agents: str, *, code: int = 0) -> dict[str, Any]:
    shell.own_ensemble("older", f"name: older\ndescription: d\nagents:\n{agents}")
    done = shell.run("invoke", "older", "The task.", "--json")
    assert done.returncode == code, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)["results"]
    return results


def statuses(results: dict[str, Any]) -> dict[str, str]:
    return {name: result["status"] for name, result in results.items()}


def test_input_key_gives_one_field_of_the_first_dependency_to_an_agent_of_any_kind(earlier: Shell) -> None:
    results = run(
        earlier,
        """\
  - {name: emit, script: scripts/emit.py}
  - {name: model, model_profile: default, depends_on: [emit], input_key: question}
  - {name: list, model_profile: default, depends_on: [emit], input_key: topics}
  - {name: nested, ensemble: child, depends_on: [emit], input_key: question}
  - {name: script, script: scripts/echo.py, depends_on: [emit], input_key: topics}
""",
    )

    assert 'I was asked: "Why?".' in results["model"]["response"]
    assert 'I was asked: "["x", "y"]".' in results["list"]["response"]
    assert 'I was asked: "Why?".' in results["nested/one"]["response"]
    assert results["script"]["data"]["input"] == ["x", "y"]
    assert results["script"]["data"]["dependencies"]["emit"]["status"] == "completed"


@pytest.mark.parametrize(
    ("source", "key", "why"),
    [
        ("scripts/emit.py", "topic", "`${emit.topic}` has no value: there is no `topic`; the fields are"),
        ("echo only text", "topics", "`${emit.topics}` has no value: the answer is not JSON"),
        ("echo '[1]'", "topics", "`${emit.topics}` has no value: there is no `topics`; it is a list of 1"),
    ],
)
@pytest.mark.parametrize("work", ["model_profile: default", "ensemble: child", "script: scripts/echo.py"])
def test_a_field_that_is_not_there_fails_the_agent_and_is_never_its_prompt(
    earlier: Shell, source: str, key: str, why: str, work: str
) -> None:
    results = run(
        earlier,
        f'  - {{name: emit, script: "{source}"}}\n'
        f"  - {{name: reader, {work}, depends_on: [emit], input_key: {key}}}\n",
        code=1,
    )

    assert list(results) == ["emit", "reader"]
    assert results["reader"]["error"]["message"].startswith(f"`input_key` finds nothing: {why}")


def test_an_agent_that_handles_a_failure_runs_and_its_answer_counts_as_none(earlier: Shell) -> None:
    results = run(
        earlier,
        """\
  - {name: broken, script: scripts/fail.py}
  - {name: emit, script: scripts/emit.py}
  - {name: fallback, model_profile: default, depends_on: [broken], on_dependency_failure: run}
  - {name: after, model_profile: default, depends_on: [fallback]}
  - {name: both, script: scripts/echo.py, depends_on: [fallback, emit], on_dependency_failure: skip}
""",
        code=1,
    )

    assert statuses(results) == {
        "broken": "failed",
        "emit": "completed",
        "fallback": "completed",
        "after": "skipped",
        "both": "completed",
    }
    told = results["both"]["data"]["dependencies"]
    assert {name: one["outcome"] for name, one in told.items()} == {
        "fallback": "handled_failure",
        "emit": "success",
    }


def test_a_parent_is_not_told_success_where_a_failure_was_only_handled(earlier: Shell) -> None:
    agents = "[{name: a, script: scripts/fail.py}, {name: b, model_profile: default, depends_on: [a], %s}]"
    for name, rule in (("handled", "on_dependency_failure: run"), ("answered", "requires: none")):
        earlier.own_ensemble(name, f"name: {name}\ndescription: d\nagents: {agents % rule}\n")

    results = run(earlier, "  - {name: h, ensemble: handled}\n  - {name: r, ensemble: answered}\n", code=1)

    assert (results["h"]["status"], results["r"]["status"]) == ("failed", "completed")
    assert "agent `a` failed: " in results["h"]["error"]["message"]


@pytest.mark.parametrize(
    ("agents", "status", "answer"),
    [
        # the one that answers is left out by its condition, beside a failure of another that nobody asks for
        (
            (
                "[{name: emit, script: emit.py}, {name: broken, script: fail.py},"
                " {name: end, script: echo hi, depends_on: [emit, broken], requires: any, when: '${emit.no}'}]"
            ),
            "completed",
            "",
        ),
        # the last one failed, and another one that no agent waits for has answered
        ("[{name: first, script: echo first}, {name: end, script: fail.py}]", "completed", "first"),
        # none has answered, and one has failed
        (
            (
                "[{name: emit, script: emit.py}, {name: broken, script: fail.py},"
                " {name: end, script: echo hi, depends_on: [emit], when: '${emit.no}'}]"
            ),
            "failed",
            None,
        ),
        # an empty answer is none as long as there is another one
        ("[{name: first, script: echo first}, {name: end, script: 'true '}]", "completed", "first"),
    ],
)
def test_an_ensemble_fails_only_if_no_agent_at_its_end_succeeded_and_one_failed(
    earlier: Shell, agents: str, status: str, answer: str | None
) -> None:
    earlier.own_ensemble("inner", f"name: inner\ndescription: d\nagents: {agents}\n")

    results = run(earlier, "  - {name: outer, ensemble: inner}\n", code=int(status == "failed"))

    assert (results["outer"]["status"], results["outer"]["response"]) == (status, answer)


def test_an_agent_runs_if_one_of_those_that_it_depends_on_has_answered(earlier: Shell) -> None:
    agents = """\
  - {name: broken, script: scripts/fail.py}
  - {name: emit, script: scripts/emit.py}
  - {name: both, script: scripts/echo.py, depends_on: [broken, emit]}
  - {name: one, model_profile: default, depends_on: [broken]}
"""

    older = run(earlier, agents, code=1)
    newer = run(earlier, f"{agents}fails_when: ${{emit.no}} == 'never'\n", code=1)

    assert statuses(older) == {"broken": "failed", "emit": "completed", "both": "completed", "one": "skipped"}
    assert older["both"]["data"]["dependencies"]["broken"]["status"] == "failed"
    assert statuses(newer) == {"broken": "failed", "emit": "completed", "both": "skipped", "one": "skipped"}
