"""A run that asks a person: it waits, survives, and goes on when somebody answers, from whatever process."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from llm_orc.formats.json_result import schema
from tests.cli.terminal import CONTROL, Terminal

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

SHIP = """\
name: ship
default_task: Write
agents:
  - {name: draft, script: [echo, "a draft \\e[2J"]}
  - {name: ok, approval: {message: "Publish this?\\n\\n${draft}"}}
  - {name: publish, script: [echo, published], depends_on: [ok], when: '${ok.choice} == "approve"'}
  - {name: besides, script: [sh, -c, "sleep 0.1; echo besides"]}
answer: publish
"""
OUTER = """\
name: outer
default_task: Write
agents:
  - {name: panel, ensemble: ship}
  - {name: price, approval: {message: Which price?, choices: [low, high]}}
  - {name: title, approval: {message: Which title?, ask: text}}
  - {name: end, script: [cat], stdin: "${panel} ${price} ${title.text}"}
"""
WAITS = 6
PROMPT = ">(?: |\x08)"  # of the chat


@pytest.fixture
def ship(shell: Shell) -> Shell:
    shell.own_ensemble("ship", SHIP)
    shell.own_ensemble("outer", OUTER)
    return shell


def parked(shell: Shell, ensemble: str = "ship") -> dict[str, Any]:
    done = shell.run("invoke", ensemble, "--json")
    assert done.returncode == WAITS, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def shown(shell: Shell, run: str = "last") -> dict[str, Any]:
    result: dict[str, Any] = json.loads(shell.run("runs", "show", run, "--output-format", "json").stdout)
    return result


def test_without_a_terminal_the_run_waits_and_says_how_to_answer(ship: Shell) -> None:
    done = ship.run("invoke", "ship")

    run = shown(ship)["run_id"]
    assert done.returncode == WAITS
    assert done.stdout == ""
    *_, waits, how = done.stderr.splitlines()
    assert waits == r"Waits for an answer: `ok`: Publish this? a draft \x1b[2J"
    assert how == f"Answer with: llm-orc runs approve {run}   or: llm-orc runs reject {run}"


def test_the_result_of_a_run_that_waits_says_who_waits_for_what(ship: Shell) -> None:
    result = parked(ship)

    jsonschema.validate(result, json.loads(schema()))
    assert (result["status"], result["answer"], result["error"]) == ("waiting", None, None)
    agents = {name: (agent["status"], agent["reason"]) for name, agent in result["results"].items()}
    assert agents == {
        "draft": ("completed", None),
        "ok": ("waiting", "approval"),
        "publish": ("waiting", "dependency"),
        "besides": ("completed", None),  # what can still run has run to its end
    }
    asked = result["results"]["ok"]["approval"]
    assert asked["message"] == "Publish this?\n\na draft \x1b[2J"
    assert (asked["choices"], asked["answer"]) == (["approve", "reject"], None)


@pytest.mark.parametrize(
    ("command", "answer", "status", "choice"),
    [("approve", "published\n", "completed", "approve"), ("reject", "", "skipped", "reject")],
)
def test_another_process_answers_and_goes_on(
    ship: Shell, command: str, answer: str, status: str, choice: str
) -> None:
    run = parked(ship)["run_id"]

    done = ship.run("runs", command, run, "--note", "by hand")

    assert (done.returncode, done.stdout) == (0, answer), done.stderr
    result = shown(ship, run)
    assert (result["status"], result["results"]["publish"]["status"]) == ("completed", status)
    ok = result["results"]["ok"]
    assert (ok["response"], ok["data"]["choice"], ok["data"]["text"]) == (choice, choice, "by hand")
    assert ok["approval"]["answer"]["by"] == ok["data"]["by"] == ship.environ.get("USER", ok["data"]["by"])


def test_an_answer_can_be_recorded_alone_and_counts_once(ship: Shell) -> None:
    run = parked(ship)["run_id"]

    recorded = ship.run("runs", "reject", run, "--no-resume")
    second = ship.run("runs", "approve", run, "ok")
    between = shown(ship, run)
    listed = json.loads(ship.run("runs", "list", "--json").stdout)
    resumed = ship.run("resume", run, "--json")

    assert recorded.returncode == 0, recorded.stderr
    assert f"llm-orc resume {run}" in recorded.stderr
    assert second.returncode == 1
    assert "agent `ok` was answered by" in second.stderr
    assert between["status"] == "waiting"
    assert between["results"]["ok"]["approval"]["answer"]["choice"] == "reject"
    assert [one["status"] for one in listed] == ["waiting"]
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["results"]["publish"]["reason"] == "condition"


def test_a_run_that_nobody_has_answered_waits_again(ship: Shell) -> None:
    run = parked(ship)["run_id"]

    done = ship.run("resume", run)

    assert done.returncode == WAITS
    assert done.stderr.splitlines()[-2].startswith("Waits for an answer: `ok`")
    kinds = [
        json.loads(line)["type"]
        for line in ship.run("runs", "export", run, "--output-format", "jsonl").stdout.splitlines()
    ]
    assert kinds.count("approval_asked") == 1


def test_each_of_several_is_answered_by_its_path(ship: Shell) -> None:
    result = parked(ship, "outer")
    run = result["run_id"]
    waiting = {name for name, agent in result["results"].items() if agent["reason"] == "approval"}

    unclear = ship.run("runs", "approve", run)
    wrong = ship.run("runs", "approve", run, "price")
    first = ship.run("runs", "approve", run, "panel/ok")
    second = ship.run("runs", "answer", run, "title", "--text", "On bees", "--no-resume")
    third = ship.run("runs", "answer", run, "price", "--choice", "low")

    assert waiting == {"panel/ok", "price", "title"}
    assert unclear.returncode == wrong.returncode == 2
    assert "3 agents of run" in unclear.stderr
    assert "agent `price` gives a choice of `low`, `high`" in wrong.stderr
    assert first.returncode == WAITS, first.stderr
    assert second.returncode == 0
    assert (third.returncode, third.stdout) == (0, "published low On bees\n"), third.stderr


EACH = """\
name: each
task: none
agents:
  - {name: first, approval: {message: "First?"}}
  - {name: part, fan_out: {over: [x, y]}, depends_on: [first], approval: {message: "${item}?"}}
"""


def test_what_an_earlier_attempt_has_told_is_not_told_again(ship: Shell) -> None:
    ship.own_ensemble("each", EACH)
    begun = ship.run("invoke", "each")
    gone_on = ship.run("runs", "approve")

    assert "2 waiting" in begun.stderr  # the one that asks, and the one after it
    assert "2 waiting" in gone_on.stderr  # the items, without the agent whose items they are
    told = [line for line in gone_on.stderr.splitlines() if line.startswith(("first:", "part"))]
    assert told == [
        "first: approve",  # the command's own
        "first: started",
        told[2],
        "part: started",
        "part[0]: started",
        "part[0]: asks a person: x?",
        "part[1]: started",
        "part[1]: asks a person: y?",
    ]
    assert told[2].startswith("first: finished")


def test_the_only_run_that_waits_needs_no_name(ship: Shell) -> None:
    nothing = ship.run("runs", "approve")
    parked(ship)
    listed = ship.run("runs", "list", "--status", "waiting")
    done = ship.run("runs", "approve")

    assert nothing.returncode == 1
    assert "no run waits for an answer" in nothing.stderr
    assert "waiting" in listed.stdout
    assert (done.returncode, done.stdout) == (0, "published\n")


def test_a_fork_from_before_the_question_asks_again(ship: Shell) -> None:
    run = parked(ship)["run_id"]
    ship.run("runs", "reject", run)

    forked = ship.run("runs", "fork", run, "--from", "draft", "--json")
    kept = ship.run("runs", "fork", run, "--from", "publish", "--json")

    assert forked.returncode == WAITS
    assert json.loads(forked.stdout)["results"]["ok"]["approval"]["answer"] is None
    assert json.loads(kept.stdout)["results"]["ok"]["response"] == "reject"
    assert ship.run("runs", "diff", run, "last").returncode == 0


def test_a_rehearsal_takes_the_first_choice_and_says_so(ship: Shell) -> None:
    done = ship.run("invoke", "outer", "--rehearse", "--json")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    assert results["price"]["data"] | {"at": 0} == {"choice": "low", "text": None, "by": "rehearsal", "at": 0}
    assert "Nobody is asked in a rehearsal" in results["price"]["notices"][0]


def test_a_run_that_keeps_nothing_asks_nobody(ship: Shell) -> None:
    unrecorded = ship.run("invoke", "ship", "--no-record")

    assert unrecorded.returncode == 2
    assert "a run without a record can't wait" in unrecorded.stderr


def test_in_a_terminal_it_is_asked_there(ship: Shell) -> None:
    terminal = Terminal(ship, "invoke", "ship")
    terminal.process.expect("Your answer:")
    terminal.process.send("1\r")
    seen = terminal.to_the_end()

    screen = CONTROL.sub("", seen)
    assert "│ Publish this?" in screen
    assert r"│ a draft \x1b[2J" in screen
    assert "published" in seen
    assert terminal.process.exitstatus == 0
    assert shown(ship)["results"]["ok"]["data"]["choice"] == "approve"


def test_ctrl_c_at_the_question_lets_the_run_wait(ship: Shell) -> None:
    terminal = Terminal(ship, "invoke", "ship")
    terminal.process.expect("Your answer:")
    terminal.ctrl_c()
    seen = terminal.to_the_end()

    assert "Not now: the run waits" in seen
    assert terminal.process.exitstatus == WAITS
    assert "llm-orc runs approve" in seen


def test_an_answer_from_elsewhere_ends_the_question_in_the_terminal(ship: Shell) -> None:
    terminal = Terminal(ship, "invoke", "ship")
    terminal.process.expect("Your answer:")
    run = json.loads(ship.run("runs", "list", "--json").stdout)[0]["run_id"]
    answered = ship.run("runs", "reject", run, "--no-resume")
    seen = terminal.to_the_end()

    assert answered.returncode == 0, answered.stderr
    assert "answered meanwhile by" in seen
    assert terminal.process.exitstatus == 0
    assert shown(ship)["results"]["publish"]["reason"] == "condition"


def test_a_killed_run_still_asks_and_is_answered_from_another_process(ship: Shell) -> None:
    terminal = Terminal(ship, "invoke", "ship")
    terminal.process.expect("Your answer:")
    terminal.process.kill(signal.SIGKILL)
    terminal.process.wait()
    (killed,) = json.loads(ship.run("runs", "list", "--json").stdout)

    done = ship.run("runs", "approve", killed["run_id"])

    assert killed["status"] == "interrupted"
    assert (done.returncode, done.stdout) == (0, "published\n"), done.stderr
    assert shown(ship)["results"]["draft"]["timing"]["duration_s"] > 0


def test_a_chat_asks_in_between_and_ctrl_c_stops_the_turn(ship: Shell) -> None:
    refused = ship.run("chat", "ship", stdin="Write\n")
    terminal = Terminal(ship, "chat", "ship")
    terminal.process.expect("Ctrl-D leaves")
    terminal.process.expect(PROMPT)
    terminal.process.send("Write\r")
    terminal.process.expect("Your answer:")
    terminal.process.send("\x03")
    terminal.process.expect("/undo removes the turn")
    terminal.process.expect(PROMPT)
    terminal.process.send("/retry\r")
    terminal.process.expect("Your answer:")
    terminal.process.send("1\r")
    terminal.process.expect("published")
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    seen = terminal.to_the_end()

    assert refused.returncode == 2
    assert "a turn of a chat can't wait" in refused.stderr
    assert "Not now" not in seen


def test_what_waits_is_listed_with_the_commands_that_answer(ship: Shell) -> None:
    run = parked(ship)["run_id"]
    approve = f"llm-orc runs approve {run}"

    listed, status, explained = ship.run("runs", "list"), ship.run("status"), ship.run("explain", "ship")
    as_json = json.loads(ship.run("status", "--json").stdout)["asking_runs"]
    checked = ship.run("check", "ship")

    assert approve in listed.stderr
    assert approve in status.stdout
    assert "ok: asks a person\n  │ Publish this?" in explained.stdout
    assert "a person · agent ok: Publish this? ${draft}" in checked.stdout
    assert [(one["run_id"], one["asks"][0]["agent"]) for one in as_json] == [(run, "ok")]


def test_check_warns_where_an_answer_decides_nothing(ship: Shell) -> None:
    ship.own_ensemble("blind", SHIP.replace(", when: '${ok.choice} == \"approve\"'", "").replace("ship", "blind"))

    good, blind = ship.run("check", "ship"), ship.run("check", "blind")

    assert good.returncode == blind.returncode == 0
    warning = "`publish` runs whatever is answered to agent `ok`"
    assert warning in blind.stdout + blind.stderr
    assert warning not in good.stdout + good.stderr
