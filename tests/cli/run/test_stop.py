"""Ctrl-C and SIGTERM: what finished is printed and kept, and `resume` asks only for the rest."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROGRAM, pretend_providers

if TYPE_CHECKING:
    from typing import IO

    from tests.cli.conftest import Shell

TWO = "name: two\ndefault_task: x\nagents: [{name: quick}, {name: slow, system_prompt: take your time}]\n"


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_stopped_run_prints_what_finished_and_can_be_resumed(
    bare: Shell, pretend: str, number: signal.Signals, exit_code: int
) -> None:
    bare.ensemble("two", TWO)
    with pretend_providers("--fault", "hang,contains=take your time") as base_url:
        bare.talks_to(base_url)
        with bare.started("invoke", "two", "--output-format", "json") as process:
            wait_for(process.stderr, "quick: finished")
            process.send_signal(number)
            out, err = process.communicate(timeout=20)

    document = json.loads(out)
    assert process.returncode == exit_code
    assert document["error"]["code"] == "interrupted"
    assert {name: r["status"] for name, r in document["results"].items()} == {
        "quick": "completed",
        "slow": "skipped",
    }
    assert f"Resume with: llm-orc resume {document['run_id']}" in err
    assert "Traceback" not in err

    bare.talks_to(pretend)
    resumed = bare.run("resume", "--output-format", "json")

    assert resumed.returncode == 0
    finished = json.loads(resumed.stdout)
    assert finished["run_id"] == document["run_id"]
    assert finished["results"]["quick"] == document["results"]["quick"]
    assert "slow: started" in resumed.stderr


def test_an_unrecorded_run_promises_no_resume(bare: Shell) -> None:
    bare.ensemble("two", TWO)
    with pretend_providers("--fault", "hang,contains=take your time") as base_url:
        bare.talks_to(base_url)
        with bare.started("invoke", "two", "--no-record") as process:
            wait_for(process.stderr, "quick: finished")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert out == ""
    assert "=== quick\n" in err
    assert "resume" not in out + err


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at threads as Linux shows them")
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_command_that_runs_nothing_yet_ends_in_good_order_too(
    shell: Shell, number: signal.Signals, exit_code: int
) -> None:
    with subprocess.Popen(
        [PROGRAM, "invoke", "panel", "-f", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=shell.cwd, env=shell.environ, text=True,
    ) as process:  # fmt: skip
        while not is_asleep(process.pid):
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)

    assert process.returncode == exit_code
    assert err == f"\nStopped by {number.name}.\n"


def is_asleep(pid: int) -> bool:
    """Has it started, and waits for its input? Its threads for that are there then."""
    return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1


def wait_for(stream: IO[str] | None, words: str) -> None:
    """Read lines until one has the words; the end of the stream without them fails the test."""
    assert stream is not None
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"{words!r} never came")
