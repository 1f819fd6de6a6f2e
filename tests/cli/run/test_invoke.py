"""`invoke` as a person and a script meet it: streams, formats, exit codes, files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llm_orc.formats.json_result import schema
from tests.cli.conftest import LIMIT_S, PROGRAM, Shell, pretend_providers

SCHEMA = Draft202012Validator(json.loads(schema()))


def test_all_answers_go_to_stdout_and_everything_else_to_stderr(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--all", "--input", "Worth a round?")

    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("===")] == [
        "=== analyst",
        "=== lawyer",
        "=== chair",
        "=== Summary",
    ]
    assert done.stdout.endswith("Status: completed\n")
    assert "\x1b" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "openai-compatible canned-1 · 3 agents"
    assert lines[1] == "  local: free · no credential needed"
    assert sorted(line.split(",")[0] for line in lines[2:]) == sorted(
        f"{agent}: {state}" for agent in ("analyst", "lawyer", "chair") for state in ("started", "finished")
    )


def test_quiet_leaves_stderr_empty(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--quiet")

    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_one_document_of_the_published_schema(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--output-format", "json", stdin="Piped in\n")

    document = json.loads(done.stdout)
    SCHEMA.validate(document)
    assert document["status"] == "completed"
    assert document["input"] == "Piped in"
    assert document["sandbox"] is False
    assert document["results"]["chair"]["access"]["billing"] == "local"


def test_jsonl_is_every_event_and_marks_what_is_provisional(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--output-format", "jsonl")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["type"] == "run_started"
    assert events[-1] == {**events[-1], "type": "run_finished", "status": "completed"}
    deltas = [e for e in events if e["type"] == "agent_delta"]
    assert all(e["provisional"] for e in deltas)
    chair = next(e for e in events if e["type"] == "agent_finished" and e["agent"] == "chair")
    assert "".join(e["text"] for e in deltas if e["agent"] == "chair") == chair["response"]


def test_a_file_is_written_whole_and_for_its_owner(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "-o", "answer.md", "--output-format", "markdown")

    assert done.returncode == 0
    assert done.stdout == ""
    written = shell.cwd / "answer.md"
    assert written.read_text().startswith("# panel\n")
    assert written.read_text().endswith("- Status: completed\n")


def test_a_pipe_and_an_instruction_are_both_in_the_task_and_in_the_record(shell: Shell) -> None:
    said = json.loads(
        shell.run("invoke", "panel", "Judge it", "--output-format", "json", stdin="the diff\n").stdout
    )
    stored = json.loads(shell.run("runs", "show", "last", "--output-format", "json").stdout)

    assert "of='input' from='standard input'>\nthe diff\n" in said["input"]
    assert "of='instruction'>\nJudge it\n" in said["input"]
    assert stored["input"] == said["input"]


@pytest.mark.parametrize("task", [(), ("Judge it",), ("-i", "Judge it"), ("-f", "-")])
def test_an_empty_pipe_is_refused_before_anything_is_spent(shell: Shell, task: tuple[str, ...]) -> None:
    done = shell.run("invoke", "panel", *task, stdin="")

    assert done.returncode == 2
    assert done.stderr.startswith("error: standard input is empty\nhint: ")
    assert shell.run("runs", "list").stdout == ""


def test_an_output_that_could_not_be_written_is_refused_before_anything_is_spent(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "-o", "missing/answer.md")

    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert shell.run("runs", "list").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("invoke", "pannel"), 3, "ensemble_not_found"),
        (("invoke", "panel", "--input", ""), 2, "input"),
        (("invoke", "panel", "a", "--input", "b"), 2, "usage"),
        (("invoke", "panel", "--inptu", "a"), 2, "usage"),
        (("invoke",), 2, "usage"),
        (("invoke", "broken"), 3, "ensemble_invalid"),
        (("resume", "nothing"), 1, "run_not_found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_with_json_a_failure_is_one_document_too(
    shell: Shell, arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    shell.ensemble("broken", "name: broken\nagents: []\nmax_calls: many\n")

    done = shell.run(*arguments, "--output-format", "json")

    document = json.loads(done.stdout)
    SCHEMA.validate(document)
    assert (done.returncode, document["error"]["code"]) == (exit_code, code)
    assert document["error"]["message"] in " ".join(done.stderr.split()) or code == "ensemble_invalid"


def test_every_problem_of_an_ensemble_is_shown_with_its_place(shell: Shell) -> None:
    shell.ensemble("broken", "name: broken\nagents: []\nmax_calls: many\n")

    done = shell.run("invoke", "broken")

    assert done.returncode == 3
    assert "\n.llm-orc/ensembles/broken.yaml:2:" in done.stderr
    assert "\n.llm-orc/ensembles/broken.yaml:3:" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_access_nothing_canned_is_given(bare: Shell) -> None:
    bare.ensemble("one", "name: one\ndefault_task: x\nagents: [{name: a, provider: anthropic-api, model: m}]\n")

    done = bare.run("invoke", "one", "--output-format", "json")

    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["code"] == "not_logged_in"
    assert "--rehearse" in json.loads(done.stdout)["error"]["hint"]


def test_a_rehearsal_says_so_on_both_streams(bare: Shell) -> None:
    done = bare.run("invoke", "multi-role-test", "--rehearse", "--all")

    assert done.returncode == 0
    assert done.stdout.startswith("SANDBOX: ")
    assert done.stderr.startswith("SANDBOX: ")


def test_a_failed_agent_leaves_the_others_their_answers_and_names_the_resume(bare: Shell) -> None:
    bare.ensemble(
        "two", "name: two\ndefault_task: x\nagents: [{name: good}, {name: bad, system_prompt: fail me}]\n"
    )
    with pretend_providers("--fault", "status=400,contains=fail me") as base_url:
        bare.talks_to(base_url)
        done = bare.run("invoke", "two", "--all")

    assert done.returncode == 1
    assert "=== good\n" in done.stdout
    assert "=== bad (failed)\n\nrequest_rejected: " in done.stdout
    assert done.stdout.endswith("Status: completed_with_errors\n")
    run_id = next(line for line in done.stdout.splitlines() if line.startswith("Run: ")).removeprefix("Run: ")
    assert f"llm-orc resume {run_id}" in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_a_reader_that_goes_away_ends_it_quietly(shell: Shell, form: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = invoke_into(writing, shell, form)
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_clear_message(shell: Shell, form: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = invoke_into(full.fileno(), shell, form)

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_directory_option_works_as_if_started_there(shell: Shell) -> None:
    elsewhere = Shell(shell.home, shell.home, dict(shell.environ))

    done = elsewhere.run("-C", str(shell.cwd), "invoke", "panel", "--quiet")

    assert done.returncode == 0


def test_debug_shows_a_traceback_without_the_keys_of_the_environment(bare: Shell) -> None:
    bare.environ["SOME_API_KEY"] = "canary-0123456789"

    done = bare.run("--debug", "invoke", "canary-0123456789")

    assert "Traceback" in done.stderr
    assert "canary-0123456789" not in done.stderr.split("\nerror: ")[0]


def invoke_into(stdout: int, shell: Shell, form: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "invoke", "panel", "--quiet", "--output-format", form],
        cwd=shell.cwd,
        env=shell.environ,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="arguments are always text there")
def test_bytes_that_are_no_text_are_refused_before_anything_is_sent(shell: Shell) -> None:
    done = subprocess.run(
        [PROGRAM, "invoke", "panel", "-i", b"a\xffb"],
        cwd=shell.cwd,
        env=shell.environ,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
    assert b"argument 4 is not UTF-8 text: `a\\udcffb`" in done.stderr
