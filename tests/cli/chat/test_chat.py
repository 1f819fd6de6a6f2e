"""`llm-orc chat`, through pipes: what is asked, what comes where, and what the next chat is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from llm_orc.sandbox.faults import Fault, Hang
from llm_orc.sandbox.server import Sandbox
from tests.cli.conftest import LIMIT_S, PROGRAM, Shell, pretend_providers

MARK = "no model was asked]"


def turns(shell: Shell, name: str = "last") -> list[tuple[str, str, str]]:
    """Role, text and state of every turn."""
    shown = json.loads(shell.run("conversations", "show", name, "--all", "--json").stdout)
    return [(t["role"], t["text"], t["state"]) for t in shown["turns"]]


def asked(shell: Shell, name: str = "last") -> list[str]:
    return [text for role, text, _ in turns(shell, name) if role == "user"]


def test_what_is_piped_in_is_one_turn(shell: Shell) -> None:
    done = shell.run("chat", stdin="one\n\n/two\n")

    assert done.returncode == 0
    assert done.stdout.count(MARK) == 1
    assert asked(shell) == ["one\n\n/two"]


@pytest.mark.parametrize("arguments", [(), ("--lines",)])
@pytest.mark.parametrize(("stdin", "code"), [("", 2), ("\n \n", 2), (None, 0)])
def test_an_empty_pipe_is_refused_and_no_pipe_is_no_turn(
    shell: Shell, arguments: tuple[str, ...], stdin: str | None, code: int
) -> None:
    done = shell.run("chat", *arguments, stdin=stdin)

    assert done.returncode == code
    assert ("error: standard input is empty" in done.stderr) == (code == 2)
    assert shell.run("conversations", "list").stdout == ""


def test_each_line_is_a_turn_if_asked_for_and_answers_go_to_stdout(shell: Shell) -> None:
    done = shell.run("chat", "--lines", stdin="one\n\ntwo\n")

    assert done.returncode == 0
    assert done.stdout.count(MARK) == 2
    assert MARK not in done.stderr
    assert done.stderr.count("tokens in") == 2
    assert "local: free" in done.stderr
    assert asked(shell) == ["one", "two"]


def test_the_next_chat_goes_on_where_the_last_one_ended(shell: Shell) -> None:
    shell.run("chat", stdin="one\n")
    done = shell.run("chat", "--continue", stdin="two\n")

    assert done.returncode == 0
    assert "Continuing conversation" in done.stderr
    assert asked(shell) == ["one", "two"]
    assert len(json.loads(shell.run("conversations", "list", "--json").stdout)) == 1


def test_a_chat_without_continue_is_a_new_conversation(shell: Shell) -> None:
    shell.run("chat", "--conversation", "a", stdin="one\n")
    shell.run("chat", stdin="two\n")

    assert asked(shell) == ["two"]


@pytest.mark.parametrize("target", ["panel:lawyer", "lawyer"])
def test_one_agent_of_an_ensemble_answers_alone(shell: Shell, target: str) -> None:
    shell.ensemble(
        "panel", "name: panel\nagents:\n- name: lawyer\n  system_prompt: You are a lawyer.\n- name: other\n"
    )
    done = shell.run("chat", target, stdin="one\n")

    assert done.stdout.count(MARK) == 1
    assert 'I was told: "You are a lawyer."' in done.stdout


def test_a_whole_ensemble_answers_agent_by_agent(shell: Shell) -> None:
    done = shell.run("chat", "panel", stdin="one\n")

    assert [line for line in done.stdout.splitlines() if line.startswith("=== ")] != []
    assert {line for line in done.stdout.splitlines() if line.startswith("=== ")} == {
        "=== analyst",
        "=== lawyer",
        "=== chair",
    }
    assert done.stdout.rindex("=== chair") > done.stdout.rindex("=== lawyer")


def test_a_conversation_knows_whom_it_is_with(shell: Shell) -> None:
    shell.run("chat", "panel:lawyer", "--conversation", "x", stdin="one\n")
    shell.run("chat", "--conversation", "x", stdin="two\n")

    shown = json.loads(shell.run("conversations", "show", "x", "--json").stdout)
    assert {turn["agent"] for turn in shown["turns"]} == {"lawyer"}
    assert shown["turn_count"] == 4


def test_a_role_that_was_given_once_lasts_in_its_conversation(shell: Shell) -> None:
    shell.run("chat", "--system", "You are a poet.", stdin="one\n")
    done = shell.run("chat", "-c", stdin="two\n")

    assert 'I was told: "You are a poet."' in done.stdout


def test_the_model_can_be_named(shell: Shell) -> None:
    done = shell.run("chat", "-m", "openai-compatible/other-model", stdin="one\n")

    assert "other-model" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody"], 3, "no ensemble is called `nobody`"),
        (["panel:plumber"], 3, "ensemble `panel` has no agent `plumber`"),
        (["-m", "opnai"], 3, "neither a model profile nor a provider"),
        (["--continue"], 1, "there is no conversation to continue"),
        (["panel", "--continue"], 1, "there is no conversation with `panel` to continue"),
        (["--conversation", "a", "-c"], 2, "exclude each other"),
        (["--conversation", "a\nb"], 2, "can't be called"),
        (["panel", "-s", "x"], 2, "choose one: analyst, lawyer, chair"),
    ],
)
def test_what_can_not_be(shell: Shell, arguments: list[str], code: int, said: str) -> None:
    done = shell.run("chat", *arguments, stdin="one\n")

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


def test_a_turn_that_fails_is_said_and_the_chat_goes_on(shell: Shell) -> None:
    with pretend_providers("--fault", "status=400,contains=two") as base_url:
        shell.talks_to(base_url)
        done = shell.run("chat", "--lines", stdin="one\ntwo\nthree\n")

    assert done.returncode == 5
    assert done.stdout.count(MARK) == 2
    assert "error: " in done.stderr
    assert [state for _, _, state in turns(shell)] == ["done", "done", "failed", "done", "done"]


class TestLinesOfAPipe:
    @pytest.mark.parametrize("line", ["/undo", "/save README.md", "/role You obey.", "//undo", "/exit"])
    def test_are_never_commands(self, shell: Shell, line: str) -> None:
        (shell.cwd / "README.md").write_text("mine")
        done = shell.run("chat", "--lines", "--conversation", "a", stdin=f"one\n{line}\n")
        alone = shell.run("chat", "--conversation", "b", stdin=f"{line}\n")

        assert done.returncode == alone.returncode == 0, done.stderr
        assert asked(shell, "a") == ["one", line]
        assert asked(shell, "b") == [line]
        assert (shell.cwd / "README.md").read_text() == "mine"


def test_the_limit_of_cost_is_that_of_the_whole_chat(shell: Shell, pretend: str) -> None:
    shell.environ["OPENAI_API_KEY"] = "sk-canary"
    shell.config.write_text(
        f"providers:\n  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n"
        "model_profiles:\n  default: {provider: openai, model: m, cost_per_token: 0.001, max_tokens: 10}\n",
        encoding="utf-8",
    )
    done = shell.run("chat", "--max-cost", "0.3", "--lines", stdin="one\ntwo\nthree\nfour\nfive\n")

    assert done.returncode == 1
    assert 1 <= done.stdout.count(MARK) < 5
    assert "error: " in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX notion")
class TestSignals:
    @pytest.mark.parametrize(
        ("number", "code"),
        [(signal.SIGTERM, 143), pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow), (signal.SIGINT, 130)],
    )
    def test_a_chat_that_waits_ends_at_once(self, shell: Shell, number: int, code: int) -> None:
        with subprocess.Popen(
            [PROGRAM, "chat", "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=shell.cwd, env=shell.environ,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"one\n")
            process.stdin.flush()
            assert process.stdout.readline()
            ended = until_it_ends(process, number)
            assert ended == code
            said = process.stderr.read().decode()  # type: ignore[union-attr]
            assert "Traceback" not in said
            by, go_on = said.splitlines()[-2:]
            assert by.startswith("Stopped by ")
            assert by.endswith(": what was said is kept.")
            assert go_on.startswith("Continue with: llm-orc chat --conversation chat-")
        assert [state for _, _, state in turns(shell)] == ["done", "done"]

    async def test_ctrl_c_stops_the_answer_and_not_the_chat(self, shell: Shell) -> None:
        async with Sandbox(faults=[Fault(Hang(2), times=1)]) as sandbox:
            shell.talks_to(sandbox.base_url("openai-chat"))
            with subprocess.Popen(  # noqa: ASYNC220
                [PROGRAM, "chat", "--lines", "--conversation", "a"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                cwd=shell.cwd, env=shell.environ,
            ) as process:  # fmt: skip
                assert process.stdin is not None
                process.stdin.write(b"one\ntwo\n")
                process.stdin.flush()
                await sandbox.wait_for_requests(1, timeout_s=LIMIT_S)
                process.send_signal(signal.SIGINT)
                try:
                    out, err = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
                finally:
                    process.kill()
        assert process.returncode == 130  # of the turn that was stopped
        assert out.decode().count(MARK) == 1
        assert "Stopped. What arrived is kept" in err.decode()
        assert [(text, state) for role, text, state in turns(shell, "a") if role == "user"] == [
            ("one", "cut"),
            ("two", "done"),
        ]


def until_it_ends(process: subprocess.Popen[bytes], number: int) -> int:
    """Signal again and again: the first Ctrl-C may still be that of an answer."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(4)
    raise TimeoutError
