"""Ctrl-C and SIGTERM: what finished is printed and kept, and `resume` asks only for the rest."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from .conftest import pretend_providers

if TYPE_CHECKING:
    from typing import IO

    from .conftest import Shell

TWO = "name: two\ndefault_task: x\nagents: [{name: quick}, {name: slow, system_prompt: take your time}]\n"


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
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
    assert f"Go on with: llm-orc resume {document['run_id']}" in err
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
    assert "=== quick\n" in out
    assert "resume" not in out + err


def wait_for(stream: IO[str] | None, words: str) -> None:
    """Read lines until one has the words; the end of the stream without them fails the test."""
    assert stream is not None
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"{words!r} never came")
