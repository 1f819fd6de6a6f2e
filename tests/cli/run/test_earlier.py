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
print(json.dumps({"success": True, "topics": ["x", "y"], "question": "Why?", "flag": True, "no": "", "kind": "deep dive", "to": "v1.2/x"}))
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


def test_when_has_the_two_forms_of_earlier_releases_and_skips_where_a_field_is_missing(earlier: Shell) -> None:
    conditions = {
        "truthy": "${emit.flag}",
        "falsy": "${emit.no}",
        "word": "${emit.kind} == deep dive",
        "path": "${emit.to} == v1.2/x",
        "quoted": "${emit.question} == 'Why?'",
        "bool": "${emit.flag} == true",
        "unequal": "${emit.question} != 'Why?'",
        "missing": "${emit.nowhere.deep} == 'x'",
        "text": "${words.field} == 'x'",
    }
    agents = "".join(
        f'  - {{name: {name}, script: echo {name}, depends_on: [emit, words], when: "{when}"}}\n'
        for name, when in conditions.items()
    )
    script = "  - {name: emit, script: scripts/emit.py}\n  - {name: words, script: echo only text}\n"

    results = run(earlier, f"{script}{agents}  - {{name: after, script: echo hi, depends_on: [missing, falsy]}}\n")

    ran = [name for name, status in statuses(results).items() if status == "completed"]
    assert ran == ["emit", "words", "truthy", "word", "path", "quoted", "bool"]
    assert {results[name]["reason"] for name in ("falsy", "unequal", "missing", "text", "after")} == {"condition"}


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("${emit.flag} and ${emit.no}", "`and` is no operator"),
        ("not ${emit.flag}", "`not` is no operator"),
        ("it is ${emit.flag}", "`it` is not known in a condition"),
        ("emit.flag", "`.` can't stand in a condition"),
    ],
)
def test_what_was_always_true_or_false_is_a_problem_of_the_file(earlier: Shell, when: str, says: str) -> None:
    earlier.own_ensemble(
        "older",
        "name: older\ndescription: d\nagents:\n  - {name: emit, script: emit.py}\n"
        f'  - {{name: a, script: echo hi, depends_on: [emit], when: "{when}"}}\n',
    )

    done = earlier.run("check", "older", "--offline")

    assert done.returncode == 3
    assert ":5:" in done.stdout
    assert says in done.stdout


def test_scripts_are_found_where_earlier_releases_looked(earlier: Shell) -> None:
    files = {
        "a": (".llm-orc/scripts/deep_er/one_two.sh", "scripts/deep-er/one-two.sh"),
        "b": (".llm-orc/scripts/deep_er/b.sh", ".llm-orc/scripts/deep_er/b.sh"),
        "c": ("scripts/c.sh", "scripts/c.sh"),
        "d": ("tools/d", "tools/d"),
        "e": ("llm-orchestra-library/scripts/e.sh", "scripts/e.sh"),
        "f": ("llm-orchestra-library/primitives/python/files/f.sh", "files/f.sh"),
        "g": (".llm-orc/plain", "plain"),
    }
    for name, (path, _) in files.items():
        (earlier.cwd / path).parent.mkdir(parents=True, exist_ok=True)
        (earlier.cwd / path).write_text(f"echo {name}")
    agents = "".join(f"  - {{name: {name}, script: {written}}}\n" for name, (_, written) in files.items())
    earlier.ensemble("older", f"name: older\ndescription: d\nagents:\n{agents}")
    assert earlier.run("trust", "--yes").returncode == 0

    done = earlier.run("invoke", "older", "The task.", "--json")

    results = json.loads(done.stdout)["results"]
    assert {name: result["response"] for name, result in results.items()} == {name: name for name in files}


def test_a_script_is_told_of_an_ensemble_as_in_earlier_releases(earlier: Shell) -> None:
    earlier.own_ensemble("inner", "name: inner\ndescription: d\nagents: [{name: one, script: echo answer}]\n")

    results = run(
        earlier,
        "  - {name: nested, ensemble: inner}\n  - {name: chosen, dispatch: inner}\n"
        "  - {name: told, script: echo.py, depends_on: [nested, chosen]}\n",
    )

    for one in results["told"]["data"]["dependencies"].values():
        assert (one["text"], json.loads(one["response"])["deliverable"]) == ("answer", "answer")
        assert json.loads(one["response"])["ensemble"] == "inner"
        assert json.loads(one["response"])["results"] == {"one": {"response": "answer", "status": "success"}}


def test_what_a_script_wrote_along_with_its_failure_is_kept_for_readers(earlier: Shell) -> None:
    scripts = earlier.config.parent / "scripts"
    (scripts / "fails.sh").write_text("""echo '{"success": false, "error": "no", "seen": [1]}'""")

    results = run(
        earlier,
        "  - {name: fails, script: fails.sh}\n"
        "  - {name: told, script: echo.py, depends_on: [fails], on_dependency_failure: run}\n",
        code=1,
    )

    assert results["fails"]["status"] == "failed"
    assert results["fails"]["error"]["payload"] == {"seen": [1]}
    assert results["told"]["data"]["dependencies"]["fails"]["payload"] == {"seen": [1]}


def test_a_script_is_told_which_of_several_ensembles_has_run(earlier: Shell) -> None:
    for name in ("first", "second"):
        agent = f"{{name: one, script: echo {name}}}"
        earlier.own_ensemble(name, f"name: {name}\ndescription: d\nagents: [{agent}]\n")

    results = run(
        earlier,
        "  - {name: router, script: echo b}\n"
        '  - {name: chosen, dispatch: {by: "${router}", to: {a: first, b: second}}}\n'
        "  - {name: told, script: echo.py, depends_on: [chosen]}\n",
    )

    [told] = results["told"]["data"]["dependencies"].values()
    response = json.loads(told["response"])
    assert (response["ensemble"], response["deliverable"]) == ("second", "second")


def test_input_key_takes_the_answer_out_of_what_was_around_it(earlier: Shell) -> None:
    results = run(
        earlier,
        "  - {name: nested, ensemble: child}\n"
        "  - {name: reader, script: echo.py, depends_on: [nested], input_key: deliverable}\n",
    )

    assert results["reader"]["data"]["input"] == results["nested"]["response"]


def test_a_line_for_the_shell_reads_no_startup_files(earlier: Shell) -> None:
    (earlier.home / ".bashrc").write_text("echo from bashrc\nexit 1\n")

    results = run(earlier, "  - {name: line, script: echo hi}\n  - {name: nothing, script: ':'}\n")

    assert (results["line"]["response"], results["nothing"]["response"]) == ("hi", "")


def test_an_ensemble_in_a_folder_is_found_by_the_name_of_its_file(earlier: Shell) -> None:
    earlier.own_ensemble("child", "name: child\ndescription: d\nagents: [{name: one, script: echo wrong}]\n")
    folder = earlier.config.with_name("ensembles") / "sub"
    folder.mkdir()
    (folder / "child.yaml").write_text(
        "name: another\ndescription: d\nagents: [{name: one, script: echo right}]\n"
    )

    results = run(earlier, "  - {name: outer, ensemble: sub/child}\n")

    assert results["outer"]["response"] == "right"


LISTS = {"plain": '[1, {"a": 2}, "x"]', "data": '{"success": true, "data": ["x"]}', "none": "[]"}


def test_an_agent_runs_for_each_item_of_its_first_dependency(earlier: Shell) -> None:
    for name, text in LISTS.items():
        (earlier.config.parent / "scripts" / f"{name}.sh").write_text(f"echo '{text}'")

    results = run(
        earlier,
        """\
  - {name: plain, script: plain.sh}
  - {name: data, script: data.sh}
  - {name: none, script: none.sh}
  - {name: emit, script: emit.py}
  - {name: each, script: echo.py, depends_on: [plain], fan_out: true}
  - {name: of_data, script: echo.py, depends_on: [data], fan_out: true}
  - {name: of_key, ensemble: child, depends_on: [emit], input_key: topics, fan_out: true}
  - {name: of_none, model_profile: default, depends_on: [none], fan_out: true}
  - {name: again, script: echo.py, depends_on: [each], fan_out: true}
""",
    )

    told = [results[f"each[{i}]"]["data"] for i in range(3)]
    assert [one["input"] for one in told] == [1, {"a": 2}, "x"]
    assert [(one["chunk_index"], one["total_chunks"], one["base_input"]) for one in told] == [
        (i, 3, "The task.") for i in range(3)
    ]
    assert results["of_data[0]"]["data"]["input"] == "x"
    assert "of_key[1]/one" in results
    sizes = {name: len(results[name]["data"]) for name in ("each", "of_data", "of_key", "of_none", "again")}
    assert sizes == {"each": 3, "of_data": 1, "of_key": 2, "of_none": 0, "again": 3}


@pytest.mark.parametrize("script", ["echo only text", "emit.py"])
def test_what_is_no_list_fails_the_agent_before_it_runs(earlier: Shell, script: str) -> None:
    results = run(
        earlier,
        f"  - {{name: source, script: {script}}}\n"
        "  - {name: each, model_profile: default, depends_on: [source], fan_out: true}\n",
        code=1,
    )

    assert statuses(results) == {"source": "completed", "each": "failed"}
