"""A batch whose rows ask people: it ends and says so, is answered from any process, and goes on with the answers."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.run.test_stop import wait_for
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from tests.batches.postgres import Postgres
    from tests.cli.conftest import Shell

SEND = """\
name: send
agents:
  - {name: ok, approval: {message: "Send this to ${task}?"}}
  - {name: sent, script: [echo, sent], depends_on: [ok], when: '${ok.choice} == "approve"'}
answer: ok
"""
BOTH = """\
name: both
agents:
  - {name: price, approval: {message: Which price?, choices: [low, high]}}
  - {name: title, approval: {message: Which title?, ask: text}}
"""
SLOW = """\
name: slow
agents:
  - {name: ok, approval: {message: "Send this to ${task}?"}}
  - {name: besides, script: "while ! test -e go; do sleep 0.05; done", shell: true}
"""
WAITS = 6


@pytest.fixture
def send(bare: Shell) -> Shell:
    bare.own_ensemble("send", SEND)
    bare.own_ensemble("both", BOTH)
    (bare.cwd / "in.txt").write_text("Ada\nBob\nCleo\n")
    return bare


def parked(shell: Shell, ensemble: str = "send") -> str:
    done = shell.run("batch", ensemble, "--inputs", "in.txt")
    assert done.returncode == WAITS, done.stderr
    found: str = status(shell)["batch_id"]
    return found


def status(shell: Shell) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(shell.run("batch", "status", "--json").stdout)
    return value


def test_rows_wait_until_they_are_answered_one_by_one_or_all(send: Shell) -> None:
    done = send.run("batch", "send", "--inputs", "in.txt")
    waiting = status(send)
    batch = waiting["batch_id"]
    one = send.run("batch", "reject", "last", "2", "--note", "not him")
    unclear = send.run("batch", "approve")
    rest = send.run("batch", "approve", batch, "--all")
    late = send.run("batch", "approve", f"{batch}:2")
    resumed = send.run("batch", "resume", "--ordered")

    assert (done.returncode, done.stdout) == (WAITS, "")
    told = done.stderr.splitlines()
    assert "3 rows wait for an answer." in told
    assert "Row 1, ok: Send this to Ada?" in told
    assert f"Answer with: llm-orc batch approve {batch} 1   or: llm-orc batch reject {batch} 1" in told
    assert f"All at once: llm-orc batch approve {batch} --all   or: llm-orc batch reject {batch} --all" in told
    assert told[-1] == f"Then go on with: llm-orc batch resume {batch}"
    assert (waiting["state"], waiting["counts"], waiting["waiting_for_answer"]) == ("open", {"waiting": 3}, 3)
    assert [(one["row"], one["agent"], one["choices"]) for one in waiting["questions"]] == [
        (n, "ok", ["approve", "reject"]) for n in (1, 2, 3)
    ]

    assert (one.returncode, one.stderr.splitlines()[0]) == (0, "Row 2, ok: reject")
    assert f"llm-orc batch resume {batch}" in one.stderr
    assert unclear.returncode == 2
    assert f"2 rows of batch `{batch}` wait for an answer: 1, 3" in unclear.stderr
    assert "2 answers stored: approve" in rest.stderr
    assert late.returncode == 1
    assert "row 2: agent `ok` was answered by" in late.stderr

    assert resumed.returncode == 0, resumed.stderr
    rows = [json.loads(line) for line in resumed.stdout.splitlines()]
    assert [(row["row"], row["status"], row["results"]["sent"]["status"]) for row in rows] == [
        (1, "completed", "completed"),
        (2, "completed", "skipped"),
        (3, "completed", "completed"),
    ]
    assert rows[1]["results"]["ok"]["data"]["text"] == "not him"


@pytest.mark.slow
def test_a_row_shows_what_it_asks_and_a_batch_without_answers_waits_again(send: Shell) -> None:
    batch = parked(send)

    row = send.run("runs", "show", f"{batch}:2")
    as_run = send.run("runs", "approve", f"{batch}:2")
    again = send.run("batch", "resume")
    seen = send.run("status")
    listed = send.run("batch", "list", "--status", "waiting", "--json")

    assert f"Answer with: llm-orc batch approve {batch} 2   or: llm-orc batch reject {batch} 2" in row.stderr
    assert as_run.returncode == 2
    assert f"llm-orc batch answer {batch} 2" in as_run.stderr
    assert again.returncode == WAITS
    assert "3 rows wait for an answer" in again.stderr
    assert f"3 rows wait for an answer: llm-orc batch status {batch}" in seen.stdout + seen.stderr
    assert [one["batch_id"] for one in json.loads(listed.stdout)] == [batch]


def test_an_agent_is_named_where_several_ask_and_words_are_an_answer_too(send: Shell) -> None:
    (send.cwd / "in.txt").write_text("x\n")
    batch = parked(send, "both")

    unclear = send.run("batch", "answer", "last", "1", "--choice", "low")
    wrong = send.run("batch", "approve", "last", "--agent", "price")
    price = send.run("batch", "answer", "last", "--agent", "price", "--choice", "low")
    title = send.run("batch", "answer", "last", "--text", "On bees")
    late = send.run("batch", "answer", "last", "1", "--text", "On wasps")
    done = send.run("batch", "resume", "--output-format", "csv")

    assert "2 agents of row 1 ask: `price`, `title`" in unclear.stderr
    assert "`approve` is none of them" in wrong.stderr
    assert (price.returncode, title.returncode) == (0, 0), price.stderr + title.stderr
    assert title.stderr.splitlines()[0] == "Row 1, title: On bees"
    assert "row 1: agent `" in late.stderr
    assert "` was answered by" in late.stderr
    assert done.returncode == 0, batch
    assert "low,On bees" in done.stdout


@pytest.mark.slow
def test_a_person_answers_one_row_after_the_other_in_a_terminal(send: Shell) -> None:
    parked(send)
    terminal = Terminal(send, "batch", "answer")
    for number, name in enumerate(("Ada", "Bob", "Cleo"), start=1):
        terminal.process.expect(f"Row {number}, ok asks:")
        terminal.process.expect(f"Send this to {name}")
        terminal.process.expect("Not now")
        terminal.process.send(f"{number}\r")  # the third is: not now
    seen = terminal.to_the_end()

    rows = [json.loads(line) for line in send.run("batch", "resume").stdout.splitlines()]
    assert {row["row"]: row["results"]["ok"]["response"] for row in rows} == {1: "approve", 2: "reject"}
    assert "Go on with: llm-orc batch resume" in seen


@pytest.mark.slow
def test_somebody_is_told_once_of_all_rows(send: Shell) -> None:
    told = send.cwd / "told"
    script = send.cwd / "tell.py"
    script.write_text(f"import sys\nopen({str(told)!r}, 'a').write(sys.stdin.read())\n")
    send.config.write_text(json.dumps({"notifications": {"command": [sys.executable, str(script)]}}))
    batch = parked(send)
    send.run("batch", "resume")

    documents = [json.loads(line) for line in told.read_text().splitlines()]
    assert {document["batch_id"] for document in documents} == {batch}
    questions = [(one["row"], one["commands"][0]) for document in documents for one in document["questions"]]
    assert sorted(questions) == [(n, f"llm-orc batch approve {batch} {n} --agent ok") for n in (1, 2, 3)]


@pytest.mark.slow
def test_what_is_asked_survives_a_kill_and_is_answered_while_nobody_works(send: Shell, postgres: Postgres) -> None:
    send.environ["LLM_ORC_STORE"] = postgres.url
    send.own_ensemble("slow", SLOW)
    with send.started("batch", "slow", "--inputs", "in.txt") as killed:
        wait_for(killed.stderr, "Batch b")
        while not (questions := status(send)["questions"]):
            assert killed.poll() is None
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    answered = send.run("batch", "approve", "last", str(questions[0]["row"]))
    (send.cwd / "go").touch()
    waits = send.run("worker", "--until-done")
    rest = send.run("batch", "approve", "last", "--all")
    done = send.run("worker", "--until-done")

    assert (answered.returncode, rest.returncode) == (0, 0), answered.stderr + rest.stderr
    assert waits.returncode == WAITS, waits.stderr
    assert "2 rows wait for an answer" in waits.stderr
    assert done.returncode == 0, done.stderr
    assert status(send)["counts"] == {"completed": 3}
