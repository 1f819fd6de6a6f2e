"""An agent that is a program: found, trusted, run, kept and shown as a user sees it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.processes.test_death import ends, grandchild

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts here are a POSIX system's")

FACTS = """\
import json, os, sys
told = json.load(sys.stdin)
print(json.dumps({"task": told["task"], "base": told["inputs"]["base"], "input": os.environ["INPUT_TEXT"],
                  "given": told["parameters"], "variables": sorted(os.environ)}))
"""
CHECKED = """\
name: checked
inputs: {base: {type: string, default: main}}
agents:
  - {name: facts, script: facts.py, parameters: {depth: 2}}
  - {name: shout, script: [tr, a-z, A-Z], stdin: "${facts.task} on ${inputs.base}"}
"""


def script(shell: Shell, name: str, text: str) -> Path:
    path = shell.cwd / ".llm-orc" / "scripts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def project(bare: Shell) -> Shell:
    """A project whose ensemble runs a file and a program, on a machine without any model."""
    bare.ensemble("checked", CHECKED)
    script(bare, "facts.py", FACTS)
    return bare


@pytest.fixture
def trusted(project: Shell) -> Shell:
    assert project.run("trust", "-y").returncode == 0
    return project


def own(shell: Shell, agents: str, *arguments: str, name: str = "one") -> dict[str, dict[str, object]]:
    """Run the user's own ensemble and return what became of its agents."""
    shell.own_ensemble(name, f"name: {name}\nagents:\n{agents}")
    done = shell.run("invoke", name, "the task", "--output-format", "json", *arguments)
    assert done.stdout, done.stderr
    results: dict[str, dict[str, object]] = json.loads(done.stdout)["results"]
    return results


def failure(result: dict[str, object]) -> str:
    error = result["error"]
    assert isinstance(error, dict), result
    return str(error["message"])


def test_a_clones_programs_are_not_started_and_each_is_named(project: Shell) -> None:
    invoked, explained, checked = (
        project.run(*words) for words in (("invoke", "checked", "x"), ("explain", "checked"), ("check", "checked"))
    )

    assert (invoked.returncode, invoked.stdout) == (4, "")
    assert "`tr a-z A-Z` (agent `shout`)" in invoked.stderr
    assert "llm-orc trust" in invoked.stderr
    assert explained.returncode == 4
    assert "  runs     tr a-z A-Z\n" in explained.stdout
    assert "  file     .llm-orc/scripts/facts.py\n" in explained.stdout
    assert checked.returncode == 0
    assert "you have not trusted it" in checked.stdout


def test_a_trusted_projects_programs_answer_without_any_model(trusted: Shell) -> None:
    done = trusted.run("invoke", "checked", "look", "--set", "base=dev", "--output-format", "json")

    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    facts = results["facts"]["data"]
    assert (facts["task"], facts["base"], facts["input"], facts["given"]) == ("look", "dev", "look", {"depth": 2})
    assert results["shout"]["response"] == "LOOK ON DEV"
    assert (results["facts"]["model"], results["facts"]["cost_usd"]) == (None, 0)


@pytest.mark.parametrize("change", ["script", "ensemble"])
def test_a_changed_script_or_command_asks_for_trust_again(trusted: Shell, change: str) -> None:
    if change == "script":
        script(trusted, "facts.py", FACTS + "print()\n")
    else:
        trusted.ensemble("checked", CHECKED.replace("[tr, a-z, A-Z]", "[tr, A-Z, a-z]"))

    done = trusted.run("invoke", "checked", "x")

    assert done.returncode == 4
    assert "you have not trusted it" in done.stderr


def test_trust_lists_the_files_with_their_content(project: Shell) -> None:
    shown = project.run("trust", "-y").stderr

    assert 'agents.shout.script: ["tr", "a-z", "A-Z"]' in shown
    assert "scripts/facts.py: sha256 " in shown


def test_a_rehearsal_says_what_would_run_and_runs_nothing(project: Shell) -> None:
    project.ensemble("touch", "name: touch\nagents: [{name: a, script: [touch, made]}]\n")

    done = project.run("invoke", "touch", "x", "--rehearse")

    assert done.returncode == 0, done.stderr
    assert "touch made" in done.stdout
    assert "not run" in done.stdout
    assert not (project.cwd / "made").exists()


def test_no_key_reaches_a_program(bare: Shell) -> None:
    bare.environ |= {
        "OPENAI_API_KEY": "sk-canary-1",
        "GH_TOKEN": "t-canary-2",
        "HTTPS_PROXY": "http://u:p-canary@x",
    }

    results = own(bare, "- {name: a, script: [env]}\n- {name: b, script: [env], env: {GH_TOKEN: , MODE: fast}}\n")

    assert "canary" not in str(results["a"]["response"])
    assert "GH_TOKEN=t-canary-2" in str(results["b"]["response"])
    assert "MODE=fast" in str(results["b"]["response"])
    assert "sk-canary" not in str(results["b"]["response"])


def test_an_answer_is_data_wherever_it_goes_and_never_a_command(bare: Shell) -> None:
    evil = "$(touch made); `touch made`; '; touch made; \" && touch made\n-rf --exec=touch\n"
    bare.own_ensemble(
        "sub",
        "name: sub\nagents:\n- {name: said, script: [cat], stdin: '${task}'}\n"
        "- {name: by_stdin, script: [cat], stdin: '${said}'}\n"
        "- {name: by_env, script: 'printf %s \"$X\"', shell: true, env: {X: '${said}'}}\n"
        "- {name: line, depends_on: [said], script: 'cat > /dev/null; echo $INPUT_TEXT', shell: true}\n",
    )

    done = bare.run("invoke", "sub", evil, "--output-format", "json")

    results = json.loads(done.stdout)["results"]
    assert results["by_stdin"]["response"] == results["by_env"]["response"] == evil.rstrip("\n")
    assert not list(bare.cwd.rglob("made"))


FAILURES = {
    "exit code": ("[sh, -c, 'echo key-canary-123456 >&2; exit 3']", ("exit code 3", "[credential]")),
    "signal": ("[sh, -c, 'kill -KILL $$']", ("ended by signal 9",)),
    "too much": ("[sh, -c, 'yes | head -c 20000000']", ("wrote more than 10 MB",)),
    "too many complaints": ("[sh, -c, 'yes | head -c 20000000 >&2']", ("wrote more than 10 MB",)),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failing_program_says_why(bare: Shell, case: str) -> None:
    bare.environ |= {"MY_API_KEY": "key-canary-123456"}
    argv, words = FAILURES[case]

    results = own(bare, f"- {{name: a, script: {argv}}}\n")

    assert results["a"]["status"] == "failed"
    for word in words:
        assert word in failure(results["a"])
    assert "canary" not in failure(results["a"])


def test_a_program_that_ends_without_reading_is_no_failure(bare: Shell) -> None:
    bare.own_ensemble("one", "name: one\nagents: [{name: a, script: [echo, done]}]\n")

    done = bare.run("invoke", "one", stdin="x" * 3_000_000)

    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_program_may_write_while_it_still_reads(bare: Shell) -> None:
    bare.own_ensemble("one", "name: one\nagents: [{name: a, script: [cat], stdin: '${task}'}]\n")

    done = bare.run("invoke", "one", stdin="y" * 3_000_000)

    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip("\n") == "y" * 3_000_000


@pytest.mark.slow  # longer than a program that answers in messages is waited for
def test_a_program_that_closes_its_output_early_is_waited_for(bare: Shell) -> None:
    results = own(
        bare,
        "- {name: works, script: [sh, -c, 'echo done; exec >&-; sleep 2.5; exit 0']}\n"
        "- {name: breaks, script: [sh, -c, 'exec >&-; sleep 2.5; echo late >&2; exit 7']}\n",
    )

    assert results["works"]["response"] == "done"
    assert "ended with exit code 7: late" in failure(results["breaks"])


def test_bytes_that_are_no_text_are_told(bare: Shell) -> None:
    bare.own_ensemble("one", "name: one\nagents: [{name: a, script: [printf, 'a\\377b']}]\n")

    done = bare.run("invoke", "one", "x")

    assert done.stdout == "a\ufffdb\n"
    assert "not UTF-8" in done.stderr


def test_what_looks_like_json_counts_as_the_file_says(bare: Shell) -> None:
    said = '{"success": false, "error": "no luck"}'
    results = own(
        bare,
        f"- {{name: earlier, script: [echo, '{said}']}}\n"
        f"- {{name: data, script: [echo, '{said}'], output: json}}\n"
        f"- {{name: text, script: [echo, '{said}'], output: text}}\n"
        "- {name: broken, script: [echo, '{no'], output: json}\n"
        "- {name: many, script: [echo, '[1, 2]']}\n",
    )

    assert "no luck" in failure(results["earlier"])
    assert results["data"]["data"] == {"success": False, "error": "no luck"}
    assert (results["text"]["response"], results["text"].get("data")) == (said, None)
    assert "is not JSON" in failure(results["broken"])
    assert results["many"]["data"] == [1, 2]


def test_a_time_limit_ends_it_with_all_that_it_has_started(bare: Shell) -> None:
    results = own(
        bare,
        "- {name: a, timeout_seconds: 1, script: 'cat > /dev/null; sleep 60 & echo $! > grandchild; wait', shell: true}\n",
    )

    assert "longer than its limit of 1 s" in failure(results["a"])
    assert ends(grandchild(bare.cwd))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_run_that_is_killed_or_interrupted(bare: Shell, number: int) -> None:
    bare.own_ensemble(
        "one",
        "name: one\nagents:\n- {name: a, script: 'cat > /dev/null; sleep 60 & echo $! > grandchild; wait', shell: true}\n",
    )

    with bare.started("invoke", "one", "x") as process:
        pid = grandchild(bare.cwd)
        os.kill(process.pid, number)
        process.wait(timeout=30)

    assert ends(pid)


def test_a_killed_run_goes_on_without_what_is_done_and_with_the_script_as_it_is_now(trusted: Shell) -> None:
    trusted.ensemble(
        "two",
        "name: two\nagents:\n- {name: first, script: first.sh}\n- {name: second, depends_on: [first], script: second.sh}\n",
    )
    script(trusted, "first.sh", "echo x >> done-first; echo one\n")
    script(trusted, "second.sh", "exit 7\n")
    trusted.run("trust", "-y")
    failed = trusted.run("invoke", "two", "x")
    script(trusted, "second.sh", "echo mended\n")

    untrusted = trusted.run("resume", "last")
    trusted.run("trust", "-y")
    resumed = trusted.run("resume", "last")

    assert failed.returncode == 1
    assert "exit code 7" in failed.stderr
    assert "changed" in untrusted.stderr
    assert (resumed.returncode, resumed.stdout) == (0, "mended\n"), resumed.stderr
    assert (trusted.cwd / "done-first").read_text() == "x\n"


def test_a_missing_program_is_said_before_anything_starts(bare: Shell) -> None:
    bare.own_ensemble(
        "one", "name: one\nagents: [{name: a, script: [touch, made]}, {name: b, script: [no-such-tool]}]\n"
    )

    invoked, checked = bare.run("invoke", "one", "x"), bare.run("check", "one")

    assert invoked.returncode == 3
    assert "`no-such-tool` is not there" in invoked.stderr
    assert "`no-such-tool` is not there" in checked.stdout
    assert not (bare.cwd / "made").exists()


@pytest.mark.slow
def test_a_batch_runs_it_for_each_row(trusted: Shell) -> None:
    done = trusted.run("batch", "checked", "--inputs", "-", stdin="one\ntwo\n")

    assert done.returncode == 0, done.stderr
    answers = sorted(json.loads(line)["results"]["shout"]["response"] for line in done.stdout.splitlines())
    assert answers == ["ONE ON MAIN", "TWO ON MAIN"]
