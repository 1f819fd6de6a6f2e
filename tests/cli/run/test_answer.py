"""A run writes one answer to standard output, raw in a pipe; everything else is on standard error."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell, pretend_providers

CHAIR_FAILS = """\
name: two
default_task: x
agents:
  - {name: analyst}
  - {name: lawyer, system_prompt: fail me}
  - {name: chair, depends_on: [analyst, lawyer], requires: REQUIRES}
"""


def stored(shell: Shell, agent: str) -> str:
    document = json.loads(shell.run("runs", "show", "last", "--json").stdout)
    return str(document["results"][agent]["response"]).rstrip("\n") + "\n"


def test_standard_output_is_the_answer_of_the_ensemble_and_nothing_else(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "Worth a round?")

    assert done.returncode == 0
    assert done.stdout == stored(shell, "chair")
    lines = done.stderr.splitlines()
    assert lines[:2] == ["openai-compatible canned-1 · 3 agents", "  local: free · no credential needed"]
    assert sorted(line.split(",")[0] for line in lines[2:8]) == sorted(
        f"{agent}: {state}" for agent in ("analyst", "lawyer", "chair") for state in ("started", "finished")
    )
    assert lines[8].startswith("3 calls, ")
    assert lines[9].startswith("Other answers: llm-orc runs show ")
    assert lines[9].endswith(" --agent analyst (or lawyer)")


def test_the_command_for_another_answer_works_as_it_is_shown(shell: Shell) -> None:
    said = shell.run("invoke", "panel").stderr.splitlines()[-1]
    command = said.removeprefix("Other answers: llm-orc ").removesuffix(" (or lawyer)")

    assert shell.run(*command.split()).stdout == stored(shell, "analyst")


def test_the_ensemble_names_whose_answer_it_is(shell: Shell) -> None:
    shell.ensemble(
        "two", "name: two\ndefault_task: x\nanswer: a\nagents: [{name: a}, {name: b, depends_on: [a]}]\n"
    )

    said = shell.run("invoke", "two").stdout

    assert said == stored(shell, "a")
    assert shell.run("runs", "show").stdout == said


def test_another_agent_can_be_asked_for(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--agent", "lawyer")

    assert done.returncode == 0
    assert done.stdout == stored(shell, "lawyer")


@pytest.mark.parametrize("command", [("invoke", "panel"), ("resume", "last"), ("runs", "fork", "--from", "chair")])
def test_an_unknown_agent_is_refused_before_anything_is_spent(shell: Shell, command: tuple[str, ...]) -> None:
    shell.run("invoke", "panel")
    before = len(json.loads(shell.run("runs", "list", "--json").stdout))

    done = shell.run(*command, "--agent", "lawer")

    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: there is no agent `lawer`\nhint: Did you mean `lawyer`?" in done.stderr
    assert len(json.loads(shell.run("runs", "list", "--json").stdout)) == before


def test_a_file_gets_what_standard_output_would_get(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "-o", "answer.md")

    assert done.stdout == ""
    assert (shell.cwd / "answer.md").read_text() == stored(shell, "chair")


def test_all_is_the_text_format(shell: Shell) -> None:
    shell.run("invoke", "panel", "--all")
    all_of_it = shell.run("resume", "last", "--all").stdout

    assert all_of_it.startswith("=== analyst\n")
    assert all_of_it == shell.run("resume", "last", "--output-format", "text").stdout
    assert all_of_it == shell.run("runs", "show", "last", "--all").stdout


def test_a_resumed_run_that_is_complete_gives_its_answer_again(shell: Shell) -> None:
    said = shell.run("invoke", "panel").stdout

    assert shell.run("resume", "last").stdout == said


def test_no_other_answer_takes_the_place_of_the_one_that_is_missing(bare: Shell) -> None:
    bare.ensemble("two", CHAIR_FAILS.replace("REQUIRES", "all"))
    with pretend_providers("--fault", "status=400,contains=fail me") as base_url:
        bare.talks_to(base_url)
        done = bare.run("invoke", "two", "--quiet")

    assert (done.returncode, done.stdout) == (1, "")
    said = done.stderr.splitlines()
    assert said[0] == "error: there is no answer from `chair`: it was skipped: no answer from `lawyer`"
    shown = bare.run(*said[1].removeprefix("Other answers: llm-orc ").split())
    assert shown.stdout == stored(bare, "analyst")
    missing = bare.run("runs", "show")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no answer from `chair`" in missing.stderr


def test_answers_of_a_run_without_a_record_are_not_lost(bare: Shell) -> None:
    bare.ensemble("two", CHAIR_FAILS.replace("REQUIRES", "all"))
    with pretend_providers("--fault", "status=400,contains=fail me") as base_url:
        bare.talks_to(base_url)
        done = bare.run("invoke", "two", "--no-record")

    assert (done.returncode, done.stdout) == (1, "")
    assert "\n=== analyst\n\n[canned answer" in done.stderr
    assert "runs show" not in done.stderr


def test_an_answer_that_others_are_missing_for_is_given_and_says_so(bare: Shell) -> None:
    bare.ensemble("two", CHAIR_FAILS.replace("REQUIRES", "any"))
    with pretend_providers("--fault", "status=400,contains=fail me") as base_url:
        bare.talks_to(base_url)
        done = bare.run("invoke", "two")

    assert done.returncode == 1
    assert done.stdout == stored(bare, "chair")
    assert "\n1 failed · " in done.stderr
    assert "Retry only the agents without an answer" in done.stderr


def test_quiet_writes_the_answer_and_nothing_else(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--quiet")

    assert done.stdout == stored(shell, "chair")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--agent", "a", "--json"), "--agent and --json exclude each other"),
        (("--agent", "a", "--all"), "--agent and --all exclude each other"),
        (("--raw", "--output-format", "markdown"), "--raw and --output-format markdown exclude each other"),
        (("--json", "--output-format", "text"), "--json and --output-format text exclude each other"),
    ],
)
def test_what_excludes_each_other(shell: Shell, options: tuple[str, ...], said: str) -> None:
    done = shell.run("invoke", "panel", *options)

    assert done.returncode == 2
    assert said in done.stderr


def test_json_is_the_same_as_its_output_format(shell: Shell) -> None:
    shell.run("invoke", "panel", "--json")

    one = shell.run("resume", "last", "--json").stdout
    assert one == shell.run("resume", "last", "--output-format", "json", "--all").stdout
    assert json.loads(one)["answer"] + "\n" == stored(shell, "chair")
