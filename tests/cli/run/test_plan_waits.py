"""A run that waits for its plan: what is shown meanwhile, how it is stopped, and how it goes on."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.run.test_stop import wait_for
from tests.fakes.claude import StandIn, install

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

BOTH = """\
name: both
default_task: x
agents:
  - {name: planned, model: anthropic-claude-pro-max}
  - {name: free}
  - {name: chair, depends_on: [planned, free]}
"""


@pytest.fixture
def claude(tmp_path: Path) -> StandIn:
    return install(tmp_path / "stand-in")


@pytest.fixture
def place(bare: Shell, pretend: str, claude: StandIn) -> Shell:
    """An agent on the plan of a `claude` that is used up, and two on a local server."""
    bare.environ["PATH"] = claude.path
    bare.own_ensemble("both", BOTH)
    bare.talks_to(pretend)
    claude.set_up(do="limit")
    return bare


def stopped_while_waiting(place: Shell, *options: str) -> tuple[str, str]:
    """Start the run, stop it with Ctrl-C while it waits, and return what it wrote."""
    with place.started("invoke", "both", "--wait-for-plan", *options) as process:
        wait_for(process.stderr, "waits for the plan of")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    return out, err


def document(text: str) -> Any:
    return json.loads(text)


def test_a_run_that_waits_says_until_when_and_is_resumed_after_that(place: Shell, claude: StandIn) -> None:
    out, err = stopped_while_waiting(place, "--output-format", "json")

    result = document(out)
    run_id = result["run_id"]
    assert (result["results"]["planned"]["status"], result["error"]["code"]) == ("skipped", "interrupted")
    assert result["waits_until"] == result["results"]["planned"]["waits_until"]
    assert "planned: waits for the plan of `anthropic-claude-pro-max`, which resets at 20" in err
    assert f"Resume with: llm-orc resume {run_id} --wait-for-plan" in err
    assert len(claude.prompts) == 1

    listed = document(place.run("runs", "list", "--json").stdout)[0]
    shown = place.run("runs", "show", run_id)
    status = place.run("status")
    assert (listed["status"], listed["waits_until"]) == ("interrupted", result["waits_until"])
    assert "waits for a plan until 20" in place.run("runs", "list").stdout
    assert "This run waits for a plan until 20" in shown.stderr
    assert f"resume {run_id} --wait-for-plan" in shown.stderr
    assert f"resume {run_id} --wait-for-plan" in status.stdout

    refused = place.run("resume")
    assert refused.returncode == 5
    assert "is used up and resets at 20" in refused.stderr
    assert f"llm-orc resume {run_id} --wait-for-plan" in refused.stderr
    assert len(claude.prompts) == 1

    claude.set_up(do="answer")
    resumed = place.run("resume", run_id, "--now", "--output-format", "json")
    assert resumed.returncode == 0
    assert document(resumed.stdout)["results"]["planned"]["status"] == "completed"
    assert document(resumed.stdout)["waits_until"] is None
    assert len(claude.prompts) == 2


def test_the_events_say_what_is_waited_for(place: Shell) -> None:
    out, _ = stopped_while_waiting(place, "--output-format", "jsonl")

    events = [document(line) for line in out.splitlines()]
    wait = next(event for event in events if event["type"] == "plan_wait_started")
    assert wait["agent"] == "planned"
    assert wait["is_reset"] is True
    assert wait["access"]["billing"] == "subscription"
    assert wait["error"]["code"] == "plan_limit_reached"
    assert wait["until"] == wait["error"]["resets_at"]


def test_agents_on_other_accesses_go_on_meanwhile(place: Shell) -> None:
    with place.started("invoke", "both", "--wait-for-plan", "--max-concurrent", "1") as process:
        wait_for(process.stderr, "planned: waits for the plan of")
        wait_for(process.stderr, "free: finished")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_a_resumed_run_waits_without_a_call(place: Shell, claude: StandIn) -> None:
    stopped_while_waiting(place)

    with place.started("resume", "--wait-for-plan") as process:
        wait_for(process.stderr, "of 3 agents already finished")
        wait_for(process.stderr, "planned: waits for the plan of")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert len(claude.prompts) == 1


@pytest.mark.parametrize("by", ["setting", "variable"])
def test_the_setting_waits_too(place: Shell, by: str) -> None:
    if by == "setting":
        with place.config.open("a") as config:
            config.write("runs: {wait_for_plan: true}\n")
    else:
        place.environ["LLM_ORC_WAIT_FOR_PLAN"] = "true"

    with place.started("invoke", "both") as process:
        wait_for(process.stderr, "waits for the plan of")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_without_the_option_it_ends_with_the_reset_time_and_the_command_that_waits(
    place: Shell, claude: StandIn
) -> None:
    ended = place.run("invoke", "both", "--output-format", "json")

    result = document(ended.stdout)
    assert ended.returncode == 1
    assert result["results"]["planned"]["error"]["code"] == "plan_limit_reached"
    assert "it resets at 20" in result["results"]["planned"]["error"]["message"]
    assert result["results"]["planned"]["error"]["resets_at"].startswith("20")
    assert f"Wait for it with: llm-orc resume {result['run_id']} --wait-for-plan" in ended.stderr

    again = place.run("resume", result["run_id"])
    assert again.returncode == 5
    assert len(claude.prompts) == 1


def test_a_plan_that_tells_no_reset_is_looked_at_again_by_resume(place: Shell, claude: StandIn) -> None:
    claude.set_up(do="limit-without-a-time")
    _, err = stopped_while_waiting(place)
    assert "told no reset time; it is called again at 20" in err
    claude.set_up(do="answer")

    assert place.run("resume").returncode == 0
    assert len(claude.prompts) == 2
