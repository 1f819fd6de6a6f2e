"""`llm-orc batch`: what a person types, sees and gets."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
import sqlite3
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.cli.conftest import PAIR

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def rows_of(text: str) -> dict[int, dict[str, object]]:
    return {row["row"]: row for row in map(json.loads, text.splitlines())}


def test_each_input_is_run_and_a_bad_one_is_a_failed_row_with_its_line(pair: Shell) -> None:
    inputs = (
        '{"firm": "Acme", "land": "DE"}\n{"firm": "Bolt"}\nno json\n{"firm": "Core", "land": "FR", "id": "c"}\n'
    )

    done = pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin=inputs)

    rows = rows_of(done.stdout)
    assert done.returncode == 1
    assert [rows[n]["status"] for n in (1, 2, 3, 4)] == ["completed", "failed", "failed", "completed"]
    assert rows[2]["error"] == {"code": "input", "message": "line 2: the input has no `land`"}
    assert str(rows[3]["error"]).count("line 3 is not JSON")
    assert rows[4]["id"] == "c"
    assert rows[4]["input"] == "Judge Core in FR"
    assert "2 rows failed (2, 3): input: line 2: the input has no `land`" in done.stderr
    assert "2 inputs can't be used" in done.stderr

    status = pair.run("batch", "status")
    answers = pair.run("batch", "results", "--output-format", "text")
    report = pair.run("batch", "results", "--output-format", "markdown", "-o", "report.md")

    assert status.stdout.splitlines()[-1] == "2 rows failed (2, 3): input: line 2: the input has no `land`"
    assert [line for line in answers.stdout.splitlines() if line.startswith("Judge")] == [
        "Judge Acme in DE",
        "Judge Core in FR",
    ]
    assert answers.stderr == "2 rows failed (2, 3): input: line 2: the input has no `land`\n"
    assert report.returncode == 0
    headings = [line for line in (pair.cwd / "report.md").read_text().splitlines() if line.startswith("## ")]
    assert headings == ["## 1. Judge Acme in DE", "## 2.", "## 3.", "## 4. c"]


@pytest.mark.slow
def test_the_same_batch_twice_is_run_once(pair: Shell) -> None:
    (pair.cwd / "in.csv").write_text("Name of firm,land\nAcme,DE\nBolt,FR\n")
    command = (
        "batch",
        "./pair.yaml",
        "--inputs",
        "in.csv",
        "--map",
        "Name of firm=firm",
        "--rehearse",
        "--ordered",
    )
    first = pair.run(*command)

    second = pair.run(*command)

    assert first.returncode == second.returncode == 0
    assert second.stdout == first.stdout
    assert "over 2 rows, 2 of them already done" in second.stderr


@pytest.mark.slow
def test_again_starts_a_new_batch(pair: Shell) -> None:
    inputs = '{"firm": "Acme", "land": "DE"}\n'
    command = ("batch", "./pair.yaml", "--inputs", "-", "--rehearse")
    pair.run(*command, stdin=inputs)

    pair.run(*command, "--again", stdin=inputs)

    batches = json.loads(pair.run("batch", "list", "--json").stdout)
    assert [(b["counts"], b["rehearsal"]) for b in batches] == [({"completed": 1}, True)] * 2


@pytest.mark.slow
def test_results_come_as_a_table_in_the_order_of_the_input(pair: Shell) -> None:
    folder = pair.cwd / "letters"
    folder.mkdir()
    for name in ("b.txt", "a.txt", ".hidden"):
        (folder / name).write_text(f"text of {name}")
    pair.run("batch", "./pair.yaml", "--inputs", "letters", "-i", "Judge {{name}}: {{input}}", "--rehearse")

    done = pair.run("batch", "results", "--ordered", "--output-format", "csv")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["id"] for row in rows] == ["a.txt", "b.txt"]
    assert [row["input"] for row in rows] == ["Judge a.txt: text of a.txt", "Judge b.txt: text of b.txt"]
    assert all(row["first"] and row["second"] for row in rows)


@pytest.mark.slow
def test_a_table_has_the_columns_of_the_inputs_too(pair: Shell) -> None:
    inputs = "id,firm,land,first,row\n7,Acme,DE,1st,a\n8,Bolt,FR,2nd,b\n"
    options = (
        "--inputs-format",
        "csv",
        "--map",
        "firm=input",
        "--rehearse",
        "--ordered",
        "--output-format",
        "csv",
    )

    streamed = pair.run("batch", "./pair.yaml", "--inputs", "-", "-i", "{{input}}", *options, stdin=inputs)

    assert streamed.returncode == 0, streamed.stderr
    rows = list(csv.DictReader(io.StringIO(streamed.stdout)))
    names = ["row", "line", "id", "status", "input", "land", "column first", "column row", "first", "second"]
    assert list(rows[0])[:10] == names
    assert [(row["row"], row["id"], row["input"], row["land"]) for row in rows] == [
        ("1", "7", "Acme", "DE"),
        ("2", "8", "Bolt", "FR"),
    ]
    assert [(row["column first"], row["column row"]) for row in rows] == [("1st", "a"), ("2nd", "b")]
    kept = pair.run("batch", "results", "--ordered", "--output-format", "csv")
    assert kept.stdout == streamed.stdout


def test_a_batch_that_cannot_be_run_starts_nothing(pair: Shell) -> None:
    inputs = '{"firma": "x", "land": "y"}\n'

    done = pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin=inputs)

    assert done.returncode == 2
    assert "the task has a placeholder `firm`" in done.stderr
    assert not (pair.home / ".local").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--map", "firm"), "is not COLUMN=PLACEHOLDER"),
        (("--store", "mysql://host/db"), "`mysql` is not a kind of store"),
        (("--store", "postgresql://me:secret@host/db"), "contains a password"),
    ],
)
def test_an_option_that_is_wrong_is_said_and_no_password_shown(
    pair: Shell, arguments: tuple[str, ...], said: str
) -> None:
    inputs = '{"firm": "x", "land": "y"}\n'

    done = pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", *arguments, stdin=inputs)

    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_a_misspelt_command_gets_the_nearest_one_and_is_no_ensemble(pair: Shell) -> None:
    misspelt = pair.run("batch", "statsu")
    ensemble = pair.run("batch", "./pair.yaml")
    help_of_run = pair.run("batch", "statsu", "--help")

    assert misspelt.returncode == ensemble.returncode == 2
    assert "no command `batch statsu`\nhint: Did you mean `status`?" in misspelt.stderr
    assert "--inputs" in ensemble.stderr
    assert "Usage: llm-orc batch run" in help_of_run.stdout


@pytest.mark.slow
def test_a_cancelled_batch_is_resumed_by_the_same_command(pair: Shell) -> None:
    (pair.cwd / "in.jsonl").write_text("".join(f'{{"firm": "firm {n}", "land": "DE"}}\n' for n in range(300)))
    command = ("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse", "-o", "out.jsonl")
    with pair.started(*command) as process:
        assert process.stderr is not None
        while "Batch " not in process.stderr.readline():
            pass
        cancelled = pair.run("batch", "cancel")
        process.communicate(timeout=30)

    status = json.loads(pair.run("batch", "status", "--json").stdout)
    done = pair.run(*command)

    assert "rows were not done" in cancelled.stderr
    assert process.returncode == 1
    assert status["state"] == "cancelled"
    assert status["in_flight"] == 0
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in rows_of((pair.cwd / "out.jsonl").read_text()).values()} == {"completed"}


@pytest.mark.slow
def test_deleting_a_batch_leaves_nothing_of_it(pair: Shell) -> None:
    pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin='{"firm": "Zebra", "land": "DE"}\n')

    done = pair.run("batch", "delete", "--yes")

    assert done.returncode == 0
    assert "no batches" in pair.run("batch", "list").stderr
    state = pair.home / ".local" / "state" / "llm-orc"
    assert not [path for path in state.glob("batches.sqlite*") if b"Zebra" in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.skipif("sys.platform == 'win32'", reason="signals are POSIX's")
def test_ctrl_c_pauses_and_the_same_command_resumes(pair: Shell) -> None:
    inputs = "".join(f'{{"firm": "firm {n}", "land": "DE"}}\n' for n in range(100))
    (pair.cwd / "in.jsonl").write_text(inputs)
    command = ("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse", "--max-concurrent", "4")
    with pair.started(*command) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    status = json.loads(pair.run("batch", "status", "--json").stdout)
    done = pair.run(*command)

    assert process.returncode == 130
    assert "Stopped by " in said
    assert status["state"] == "open"
    assert status["in_flight"] == 0
    assert done.returncode == 0
    assert sorted(rows_of(done.stdout)) == list(range(1, 101))


@pytest.mark.slow
def test_a_second_batch_waits_for_the_first_one(pair: Shell) -> None:
    (pair.cwd / "many.jsonl").write_text("".join(f'{{"firm": "firm {n}", "land": "DE"}}\n' for n in range(150)))
    command = ("batch", "./pair.yaml", "--inputs", "many.jsonl", "--rehearse", "-o", "out.jsonl")
    with pair.started(*command) as first:
        assert first.stderr is not None
        while "Batch " not in first.stderr.readline():
            pass
        second = pair.run(
            "batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin='{"firm": "A", "land": "B"}\n'
        )
        first.communicate(timeout=30)

    assert first.returncode == 0
    assert second.returncode == 0, second.stderr
    assert "Waiting for it" in second.stderr
    assert len((pair.cwd / "out.jsonl").read_text().splitlines()) == 150


@pytest.mark.slow
def test_a_batch_is_known_by_what_shapes_its_answers_and_by_all_its_columns(pair: Shell) -> None:
    command = ("batch", "./pair.yaml", "--inputs", "-", "--rehearse")
    first = pair.run(*command, stdin='{"firm": "Acme", "land": "DE", "id": "1"}\n')

    (pair.cwd / "pair.yaml").write_text(PAIR.replace("name: pair\n", "name: pair\ndescription: other words\n"))
    described = pair.run(*command, stdin='{"firm": "Acme", "land": "DE", "id": "1"}\n')
    renamed = pair.run(*command, stdin='{"firm": "Acme", "land": "DE", "id": "2"}\n')

    assert "1 of them already done" in described.stderr
    assert described.stdout == first.stdout
    assert rows_of(renamed.stdout)[1]["id"] == "2"
    assert "already done" not in renamed.stderr


@pytest.mark.slow
def test_resume_needs_no_inputs_and_no_ensemble_and_says_who_pays(pair: Shell) -> None:
    inputs = "".join(f'{{"firm": "resumed {n}", "land": "DE"}}\n' for n in range(4))
    short = pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", "--max-calls", "3", stdin=inputs)
    (pair.cwd / "pair.yaml").unlink()

    still = pair.run("batch", "resume", "--quiet")
    more = pair.run("batch", "resume", "last", "--max-calls", "8")

    assert "Resume with: llm-orc batch resume b" in short.stderr
    assert still.returncode == 1
    assert "--max-calls" in still.stderr
    assert more.returncode == 0, more.stderr
    assert "local: free" in more.stderr
    assert {row["status"] for row in rows_of(more.stdout).values()} == {"completed"}


@pytest.mark.slow
def test_cancelling_a_batch_that_is_done_changes_nothing(pair: Shell) -> None:
    inputs = '{"firm": "over", "land": "DE"}\n{"firm": "unusable"}\n'
    pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin=inputs)

    done = pair.run("batch", "cancel")

    assert "had already ended" in done.stderr
    assert json.loads(pair.run("batch", "status", "--json").stdout)["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-cost", "nan"), "not an amount of money"),
        (("--store", "postgresql://me@host:port/db"), "the port in the store"),
        (("-o", "nowhere/out.jsonl"), "no folder"),
    ],
)
def test_what_would_go_wrong_later_is_said_at_once(pair: Shell, options: tuple[str, ...], said: str) -> None:
    command = ("batch", "./pair.yaml", "--inputs", "-", "--inputs-format", "csv", "--rehearse", "-i", "{{a}}")

    done = pair.run(*command, *options, stdin="a,b\n1,2\n")

    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.slow
def test_a_file_of_another_program_is_left_as_it_is(pair: Shell) -> None:
    foreign = pair.cwd / "foreign.db"
    with contextlib.closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()
    before = foreign.read_bytes()

    done = pair.run("batch", "list", "--store", "foreign.db")

    assert done.returncode == 1
    assert "is not a batch store" in done.stderr
    assert foreign.read_bytes() == before


@pytest.mark.slow
def test_one_row_that_is_not_valid_text_fails_alone(pair: Shell) -> None:
    inputs = (
        '{"firm": "a\\ud800b", "land": "DE"}\n{"firm": "n\\u0000", "land": "DE"}\n{"firm": "Acme", "land": "DE"}\n'
    )

    done = pair.run("batch", "./pair.yaml", "--inputs", "-", "--rehearse", stdin=inputs)

    rows = rows_of(done.stdout)
    assert [rows[n]["status"] for n in (1, 2, 3)] == ["failed", "failed", "completed"]
    assert "line 1: column 'firm' contains characters that are not text" in str(rows[1]["error"])


@pytest.mark.slow
def test_columns_can_be_used_in_system_prompts_as_in_the_task(pair: Shell) -> None:
    (pair.cwd / "pair.yaml").write_text(
        PAIR.replace("name: first\n", "name: first\n    system_prompt: 'Of {{country}}.'\n")
    )
    inputs = '{"firm": "Acme", "land": "DE"}\n{"firm": "{{land}}", "land": "FR"}\n'
    command = ("batch", "./pair.yaml", "--inputs", "-", "--rehearse", "--ordered", "-i", "Judge {{firm}}")

    wrong = pair.run(*command, stdin=inputs)
    right = pair.run(*command, "--map", "land=country", stdin=inputs)

    assert wrong.returncode == 2
    assert "the system prompt of agent `first`" in wrong.stderr
    assert not wrong.stdout
    said = [str(json.loads(line)["results"]["first"]) for line in right.stdout.splitlines()]
    assert "Of DE." in said[0]
    assert "Of FR." in said[1]
    assert "Judge {{land}}" in said[1]


CAREFUL = """\
name: careful
agents:
  - name: each
    provider: openai-compatible
    model: m
    fan_out: {over: [1, 2, 3]}
    max_calls: 2
  - {name: other, provider: openai-compatible, model: m}
"""


def test_the_limit_of_an_agent_holds_in_each_row_and_that_of_tokens_for_the_batch(pair: Shell) -> None:
    (pair.cwd / "careful.yaml").write_text(CAREFUL)
    (pair.cwd / "in.txt").write_text("one\ntwo\n")
    command = ("batch", "./careful.yaml", "--inputs", "in.txt", "--rehearse")
    done = pair.run(*command)

    assert done.returncode == 0, done.stderr
    for row in rows_of(done.stdout).values():
        results = cast("dict[str, dict[str, Any]]", row["results"])
        items = [one for name, one in results.items() if name.startswith("each[")]
        assert sorted(one["status"] for one in items) == ["completed", "completed", "failed"]
        assert results["other"]["status"] == "completed"
        (refused,) = (one["error"] for one in items if one["status"] == "failed")
        assert "agent `each` has made all 2 calls that it may make" in refused["message"]
        assert refused["hint"].startswith(
            "Raise `max_calls` of agent `each` in its file, give the batch's command"
        )

    spent = pair.run(*command, "--again", "--max-total-tokens", "10")
    assert "exceeds the batch's limit (`--max-total-tokens`)" in spent.stderr
    assert "max tokens 10, of which 0 are used" in pair.run("batch", "status").stdout
