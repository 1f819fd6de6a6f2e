"""Standard streams that are closed, full or unread: data is delivered or the exit code says so; notes decide nothing."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time

import pytest

from tests.cli.batch.test_worker_on_a_file import batch_under_way
from tests.cli.conftest import LIMIT_S, PROGRAM, Shell, pretend_providers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells of Windows can't close a stream")

NO_READER = 141
COMMANDS = ("--version", "list-ensembles", "status --json", "invoke panel", "invoke panel --output-format json",
            "invoke panel --output-format jsonl", "batch pair.yaml --inputs firms.csv", "chat --lines")  # fmt: skip
NEED_NO_DISK = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")


def through_shell(shell: Shell, line: str) -> subprocess.CompletedProcess[str]:
    """Run `line`, in which `$LLM` is the program, as a POSIX shell does."""
    return subprocess.run(
        ["/bin/sh", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=shell.cwd,
        env=shell.environ | {"LLM": shlex.quote(PROGRAM)},
        timeout=LIMIT_S,
        check=False,
    )


def prepared(pair: Shell, command: str) -> str:
    (pair.cwd / "firms.csv").write_text("firm,land\nAcme,France\nBolt,Spain\n")
    return f"printf 'one\\ntwo\\n' | $LLM {command}" if command == "chat --lines" else f"$LLM {command}"


def every(*fast: str) -> list[object]:
    """All commands; those that are not named run with the slow tests."""
    return [c if c in fast else pytest.param(c, marks=pytest.mark.slow) for c in COMMANDS]


@pytest.mark.parametrize("command", every("invoke panel", "chat --lines"))
def test_without_a_standard_output_nothing_passes_as_delivered(pair: Shell, command: str) -> None:
    done = through_shell(pair, f"{prepared(pair, command)} >&-")

    assert done.returncode == NO_READER, done.stderr
    assert "Traceback" not in done.stderr


@NEED_NO_DISK
@pytest.mark.parametrize("command", every("--version", "invoke panel --output-format jsonl", "chat --lines"))
def test_a_full_disk_behind_standard_output_is_said(pair: Shell, command: str) -> None:
    done = through_shell(pair, f"{prepared(pair, command)} >/dev/full")

    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert command == "--version" or "No space left on device" in done.stderr
    if command.startswith("invoke"):
        assert "The answers are kept: llm-orc runs show " in done.stderr


@pytest.mark.parametrize("command", every("--version", "chat --lines"))
def test_a_reader_that_goes_away_ends_the_command_quietly(pair: Shell, command: str) -> None:
    done = through_shell(pair, f"{{ {prepared(pair, command)}; echo $? >code; }} | true")

    assert (pair.cwd / "code").read_text().strip() in {"0", str(NO_READER)}  # 0: it had all been written by then
    assert "Traceback" not in done.stderr


def test_a_chat_ends_with_its_reader_though_more_is_there_to_say(shell: Shell) -> None:
    done = through_shell(shell, "{ yes hello | $LLM chat --lines; echo $? >code; } | head -c 20")

    assert done.stdout.startswith("[canned answer")
    assert (shell.cwd / "code").read_text().strip() == str(NO_READER)
    assert "Traceback" not in done.stderr


@NEED_NO_DISK
@pytest.mark.parametrize("command", every("invoke panel --output-format json"))
@pytest.mark.parametrize("notes", ["2>/dev/full", "2>&-"])
def test_standard_error_decides_nothing(pair: Shell, command: str, notes: str) -> None:
    line = prepared(pair, command)
    done = through_shell(pair, f"{line} {notes}")

    assert done.returncode == 0
    assert done.stderr == ""
    if command.endswith("json"):
        assert isinstance(json.loads(done.stdout), dict)  # and no note in it
    else:
        assert done.stdout.strip() != ""


@pytest.mark.parametrize("command", every("invoke panel")[:-1])
def test_without_any_standard_stream_a_command_still_ends_as_it_should(pair: Shell, command: str) -> None:
    done = through_shell(pair, f"{prepared(pair, command)} <&- >&- 2>&-")

    assert done.returncode == NO_READER


@pytest.mark.parametrize("command", every("invoke panel", "chat --lines"))
def test_a_closed_standard_input_is_none(pair: Shell, command: str) -> None:
    prepared(pair, command)
    done = through_shell(pair, f"$LLM {command} <&-")

    assert done.returncode == 0, done.stderr
    assert command == "chat --lines" or done.stdout != ""


def test_what_is_recorded_lands_in_no_standard_stream(shell: Shell) -> None:
    """A database that took the number of a closed stream would be written into by every note."""
    done = through_shell(shell, "$LLM invoke panel <&- 2>&-")
    shown = json.loads(shell.run("runs", "show", "last", "--json").stdout)

    assert done.returncode == 0
    assert shown["status"] == "completed"


def wide(shell: Shell, agents: int) -> None:
    shell.ensemble(
        "wide", "name: wide\ndefault_task: hi\nagents:\n" + "".join(f"- name: a{i}\n" for i in range(agents))
    )


@pytest.mark.slow
def test_notes_that_nobody_reads_hold_up_no_run(shell: Shell) -> None:
    """A pipe holds 64 KiB; what finds no room in it is left out."""
    wide(shell, 600)
    with pretend_providers("--fault", "status=400") as base_url:
        shell.talks_to(base_url)
        with shell.started("invoke", "wide", "--all", "-o", "out.txt") as process:
            assert process.wait(LIMIT_S) == 5
            assert process.stderr is not None
            assert len(process.stderr.read()) >= 1 << 15
    assert "a599" in (shell.cwd / "out.txt").read_text()


@pytest.mark.slow
def test_events_that_nobody_reads_hold_up_no_agent(shell: Shell) -> None:
    """The pipe holds 64 KiB; the run ends, is recorded, and only then waits for its reader."""
    wide(shell, 300)
    with shell.started("invoke", "wide", "--output-format", "jsonl", "--quiet") as process:
        assert process.stdout is not None
        deadline = time.monotonic() + LIMIT_S
        status = ""
        while status != "completed" and time.monotonic() < deadline:
            runs = shell.run("runs", "list", "--json").stdout
            status = json.loads(runs)[0]["status"] if runs.strip() not in {"", "[]"} else ""
        is_waiting = process.poll() is None
        events = [json.loads(line) for line in process.stdout.read().splitlines()]

        assert status == "completed"
        assert is_waiting
        assert events[-1]["type"] == "run_finished"
        assert process.wait(LIMIT_S) == 0


@pytest.mark.slow
def test_a_reader_that_reads_nothing_can_be_left_with_ctrl_c(shell: Shell) -> None:
    wide(shell, 300)
    with shell.started("invoke", "wide", "--output-format", "jsonl", "--quiet") as process:
        deadline = time.monotonic() + LIMIT_S
        while "completed" not in shell.run("runs", "list").stdout and time.monotonic() < deadline:
            assert process.poll() is None
        process.send_signal(2)

        assert process.wait(LIMIT_S) == 130


@pytest.mark.slow
@pytest.mark.parametrize(("streams", "code"), [(">&-", NO_READER), ("<&- >&- 2>&-", NO_READER), ("2>&-", 0)])
def test_resume_keeps_what_it_can_not_deliver(shell: Shell, streams: str, code: int) -> None:
    with pretend_providers("--fault", "status=400,times=1") as base_url:
        shell.talks_to(base_url)
        stopped = shell.run("invoke", "panel")
        done = through_shell(shell, f"$LLM resume last {streams}")
    shown = json.loads(shell.run("runs", "show", "last", "--json").stdout)

    assert stopped.returncode != 0
    assert done.returncode == code
    assert shown["status"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "2>/dev/full >/dev/full"])
def test_a_worker_needs_no_standard_stream(pair: Shell, streams: str) -> None:
    with batch_under_way(pair, 60) as batch:
        batch.kill()
        batch.communicate()
    done = through_shell(pair, f"$LLM worker --until-done {streams}")

    assert done.returncode == 0
    assert json.loads(pair.run("batch", "status", "--json").stdout)["counts"] == {"completed": 60}
