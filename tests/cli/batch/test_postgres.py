"""Batches on PostgreSQL, as people run them: only `--store` differs."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.batches.postgres import Postgres, find_programs
from tests.cli.conftest import Shell
from tests.fakes.busy_provider import Provider, serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_programs() is None, reason="needs PostgreSQL's server programs; .ci/run installs them"
    ),
]
PAIR = """\
name: pair
agents:
  - {name: first, provider: sandboxed, model: m}
  - {name: second, provider: sandboxed, model: m, depends_on: [first]}
"""
ROWS = 16


def at(provider: Provider, **limits: int) -> dict[str, object]:
    settings = {"base_url": provider.url, "dialect": "openai-chat", "billing": "local", **limits}
    return {"providers": {"sandboxed": settings}}


NOWHERE = Provider(lambda _in_flight: False, "0", url="http://127.0.0.1:9")


@pytest.fixture
def pair(shell: Shell) -> Shell:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    shell.config.parent.mkdir(parents=True, exist_ok=True)
    shell.config.write_text(json.dumps(at(NOWHERE, max_concurrent=3, requests_per_minute=3000)))
    (shell.cwd / "in.txt").write_text("".join(f"row {n}\n" for n in range(ROWS)))
    return shell


def test_a_batch_with_limits_is_carried_out_by_itself_and_by_a_worker(pair: Shell, postgres: Postgres) -> None:
    store = ("--store", postgres.url)
    with pair.started("worker", *store) as worker:
        done = pair.run("batch", "./pair.yaml", "--inputs", "in.txt", "--rehearse", "--ordered", *store)
        seen = json.loads(pair.run("workers", "--json", *store).stdout)
        worker.terminate()
        worker.communicate(timeout=30)

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [row["row"] for row in rows] == list(range(1, ROWS + 1))
    assert {row["status"] for row in rows} == {"completed"}
    assert len(seen) == 1
    assert worker.returncode == 143
    assert json.loads(pair.run("workers", "--json", *store).stdout) == []


def test_agents_that_other_workers_call_have_the_files_from_the_store(pair: Shell, postgres: Postgres) -> None:
    (pair.cwd / "pair.yaml").write_text(
        """\
name: pair
task: none
inputs: {page: file}
agents:
  - {name: first, provider: sandboxed, model: m, prompt: Read it., attachments: "${inputs.page}"}
"""
    )
    scans = pair.cwd / "scans"
    scans.mkdir()
    for n in range(4):
        (scans / f"{n}.txt").write_text(f"content {n}")
    store = ("--store", postgres.url)
    with pair.started("worker", *store) as worker:
        done = pair.run("batch", "./pair.yaml", "--inputs", "scans", "--rehearse", "--ordered", *store)
        worker.terminate()
        worker.communicate(timeout=30)

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == [f"{n}.txt" for n in range(4)], done.stderr
    assert [f"content {n}" in row["results"]["first"]["response"] for n, row in enumerate(rows)] == [True] * 4, (
        rows
    )


def test_agents_that_other_workers_call_have_the_values_of_their_references(
    pair: Shell, postgres: Postgres
) -> None:
    (pair.cwd / "pair.yaml").write_text(
        """\
name: pair
task: none
inputs: {topic: string}
agents:
  - {name: first, provider: sandboxed, model: m, prompt: "About ${inputs.topic}"}
  - name: second
    provider: sandboxed
    model: m
    system_prompt: "You know ${inputs.topic} in row ${run.id}."
    prompt: "Judge ${first}"
    when: ${inputs.topic} != 'nothing'
"""
    )
    topics = ["tea", "nothing", "salt"]
    (pair.cwd / "in.jsonl").write_text("".join(f'{{"topic": "{topic}"}}\n' for topic in topics))
    store = ("--store", postgres.url)

    done = pair.run("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse", "--ordered", *store)

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["completed"] * 3, done.stderr
    results = [row["results"] for row in rows]
    assert "About tea" in results[0]["first"]["response"]
    assert "You know salt in row " in results[2]["second"]["response"]
    assert results[1]["second"]["status"] == "skipped"


async def test_two_batches_share_a_limited_provider_and_one_cannot_call_the_agents_of_the_other(
    pair: Shell, postgres: Postgres, tmp_path: Path
) -> None:
    """Their agents are on one queue; the first person doesn't have the second one's profile."""
    store = ("--store", postgres.url)
    theirs = Shell(tmp_path / "their home", pair.cwd)
    (pair.cwd / "theirs.yaml").write_text(PAIR.replace("provider: sandboxed, model: m", "model_profile: mine"))
    async with serving(Provider(lambda _in_flight: False, "0")) as provider:
        settings = at(provider, max_concurrent=3)
        pair.config.write_text(json.dumps(settings))
        theirs.config.parent.mkdir(parents=True)
        mine = {"provider": "sandboxed", "model": "m", "base_url": provider.url}
        theirs.config.write_text(json.dumps(settings | {"model_profiles": {"mine": mine}}))
        runs = (
            (pair, ("batch", "./pair.yaml", "--inputs", "in.txt", *store)),
            (theirs, ("batch", "./theirs.yaml", "--inputs", "in.txt", *store)),
        )
        done = await asyncio.gather(*(asyncio.to_thread(shell.run, *command) for shell, command in runs))

    for one in done:
        assert one.returncode == 0, one.stderr
        assert [json.loads(line)["status"] for line in one.stdout.splitlines()] == ["completed"] * ROWS
    assert provider.most_in_flight <= 3
    assert len(provider.statuses) == 4 * ROWS


async def test_a_batch_that_was_cancelled_continues_where_it_was(pair: Shell, postgres: Postgres) -> None:
    """Its rows and their queued agents do, and no answered call is repeated."""
    store = ("--store", postgres.url)
    (pair.cwd / "in.txt").write_text("".join(f"to be cancelled, row {n}\n" for n in range(ROWS)))
    command = ("batch", "./pair.yaml", "--inputs", "in.txt", *store)
    async with serving(Provider(lambda _in_flight: False, "0")) as provider:
        pair.config.write_text(json.dumps(at(provider, max_concurrent=3)))
        running = asyncio.create_task(asyncio.to_thread(pair.run, *command))
        async with asyncio.timeout(60):
            while len(provider.statuses) < ROWS // 2:
                await asyncio.sleep(0.01)
        cancelled = await asyncio.to_thread(pair.run, "batch", "cancel", *store)
        stopped = await running
        before = len(provider.statuses)
        done = await asyncio.to_thread(pair.run, *command)

    assert "Cancelled batch" in cancelled.stderr
    assert stopped.returncode == 1
    assert before < 2 * ROWS
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["status"] for line in done.stdout.splitlines()} == {"completed"}
    assert len(provider.statuses) <= 2 * ROWS + 3  # and those that were out when it was cancelled


def test_a_batch_that_is_deleted_is_gone(pair: Shell, postgres: Postgres) -> None:
    store = ("--store", postgres.url)
    pair.run("batch", "./pair.yaml", "--inputs", "in.txt", "--limit", "3", "--rehearse", *store)
    batch_id = json.loads(pair.run("batch", "status", "--json", *store).stdout)["batch_id"]

    deleted = pair.run("batch", "delete", batch_id, "--yes", *store)

    assert deleted.returncode == 0, deleted.stderr
    engine = sa.create_engine(postgres.url.replace("postgresql", "postgresql+psycopg"))
    with engine.connect() as connection:
        tables = ("dbos.workflow_status WHERE workflow_uuid", "llm_orc_rows WHERE batch_id")
        left = [
            connection.execute(sa.text(f"SELECT count(*) FROM {table} LIKE '{batch_id}%'")).scalar_one()
            for table in tables
        ]
    engine.dispose()
    assert left == [0, 0]


@contextmanager
def three_workers(pair: Shell, store: tuple[str, ...]) -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as stack:
        workers = [stack.enter_context(pair.started("worker", *store)) for _ in range(3)]
        for worker in workers:
            assert worker.stderr is not None
            assert worker.stderr.readline().startswith("Worker ")
        yield workers


async def test_three_workers_and_a_provider_that_refuses_a_third_of_the_calls(
    pair: Shell, postgres: Postgres
) -> None:
    """No row fails, no call is made twice, and refusals don't grow into a storm."""
    store = ("--store", postgres.url)
    dice = random.Random(7)
    async with serving(Provider(lambda _in_flight: dice.random() < 1 / 3, "0.05")) as provider:
        pair.config.write_text(json.dumps(at(provider)))
        with three_workers(pair, store):
            command = ("batch", "./pair.yaml", "--inputs", "in.txt", "--again", *store)
            done = await asyncio.to_thread(pair.run, *command)

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["completed"] * ROWS
    answered = provider.statuses.count(200)
    assert answered == 2 * ROWS
    assert provider.statuses.count(429) < answered


async def test_a_limit_holds_over_three_workers_of_which_one_is_killed(pair: Shell, postgres: Postgres) -> None:
    store = ("--store", postgres.url)
    async with serving(Provider(lambda _in_flight: False, "0")) as provider:
        pair.config.write_text(json.dumps(at(provider, max_concurrent=3)))
        with three_workers(pair, store) as workers:
            command = ("batch", "./pair.yaml", "--inputs", "in.txt", "--again", *store)
            running = asyncio.create_task(asyncio.to_thread(pair.run, *command))
            async with asyncio.timeout(60):
                while len(provider.statuses) < ROWS // 2:
                    await asyncio.sleep(0.01)
            workers[0].kill()
            done = await running

    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["status"] for line in done.stdout.splitlines()} == {"completed"}
    assert 1 < provider.most_in_flight <= 3


OF_AN_AGENT = PAIR.replace("depends_on: [first]", "depends_on: [first], max_calls: 2, fan_out: {over: [1, 2, 3]}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PAIR + "max_calls: 1\n", "budget_exceeded"),
        (OF_AN_AGENT.replace("[1, 2, 3]", "[1, 2, 3], on_item_failure: fail"), "item_failed"),
    ],
    ids=["of the ensemble", "of an agent"],
)
def test_a_row_keeps_to_the_limit_whichever_workers_call_its_agents(
    pair: Shell, postgres: Postgres, text: str, code: str
) -> None:
    store = ("--store", postgres.url)
    (pair.cwd / "thrifty.yaml").write_text(text)
    command = ("batch", "./thrifty.yaml", "--inputs", "in.txt", "--limit", "5", "--rehearse")
    with three_workers(pair, store):
        done = pair.run(*command, *store)

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [row["status"] for row in rows] == ["completed_with_errors"] * 5
    assert {row["error"]["code"] for row in rows} == {code}
    assert {row["results"]["first"]["status"] for row in rows} == {"completed"}
    answered = [name for row in rows for name, one in row["results"].items() if one["status"] == "completed"]
    assert len(answered) == (5 if code == "budget_exceeded" else 5 * 3)


SOLO = """\
name: solo
agents:
  - {name: only, provider: sandboxed, model: m}
"""


async def status_of(pair: Shell, store: tuple[str, ...]) -> dict[str, Any]:
    done = await asyncio.to_thread(pair.run, "batch", "status", "--json", *store)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_spent_budget_loses_no_answer_and_the_batch_continues_with_more(
    pair: Shell, postgres: Postgres
) -> None:
    """Each paid call is a finished row, whichever worker was refused first."""
    store = ("--store", postgres.url)
    (pair.cwd / "solo.yaml").write_text(SOLO)
    command = ("batch", "./solo.yaml", "--inputs", "in.txt", "--max-calls", "7", *store)
    async with serving(Provider(lambda _in_flight: False, "0")) as provider:
        pair.config.write_text(json.dumps(at(provider)))
        with three_workers(pair, store):
            short = await asyncio.to_thread(pair.run, *command)
            status = await status_of(pair, store)
            async with asyncio.timeout(60):  # a worker that was not refused may still wait for an answer
                while status["in_flight"] or status["counts"]["completed"] < 7:
                    status = await status_of(pair, store)
            more = await asyncio.to_thread(pair.run, "batch", "resume", "--max-calls", str(ROWS), *store)

    assert short.returncode == 1
    assert status["state"] == "spent"
    assert status["counts"]["completed"] == 7
    assert more.returncode == 0, more.stderr
    assert len(more.stdout.splitlines()) == ROWS
    assert len(provider.statuses) == ROWS


async def test_limits_that_are_removed_from_the_settings_delay_nothing(pair: Shell, postgres: Postgres) -> None:
    store = ("--store", postgres.url)
    command = ("batch", "./pair.yaml", "--inputs", "in.txt", "--again", *store)
    async with serving(Provider(lambda _in_flight: False, "0")) as provider:
        pair.config.write_text(json.dumps(at(provider, max_concurrent=2)))
        limited = await asyncio.to_thread(pair.run, *command)
        most = provider.most_in_flight
        pair.config.write_text(json.dumps(at(provider)))
        free = await asyncio.to_thread(pair.run, *command)

    assert limited.returncode == free.returncode == 0, free.stderr
    assert most <= 2 < provider.most_in_flight


def test_a_worker_that_was_evicted_continues_with_another_id(pair: Shell, postgres: Postgres) -> None:
    store = ("--store", postgres.url)
    with pair.started("worker", *store) as worker:
        assert worker.stderr is not None
        first = worker.stderr.readline().split()[1]
        engine = sa.create_engine(postgres.url.replace("postgresql", "postgresql+psycopg"))
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM llm_orc_workers"))
        engine.dispose()
        second = worker.stderr.readline().split()[1]
        seen = json.loads(pair.run("workers", "--json", *store).stdout)

    assert second != first
    assert [one["worker_id"] for one in seen] == [second]


def test_a_worker_that_starts_while_the_server_restarts_waits_for_it(pair: Shell, postgres: Postgres) -> None:
    store = ("--store", postgres.url)
    pair.run("batch", "./pair.yaml", "--inputs", "in.txt", "--rehearse", "--limit", "2", *store)
    postgres.stop("immediate")

    with pair.started("worker", "--until-done", *store) as worker:
        assert worker.stderr is not None
        said = worker.stderr.readline()
        postgres.start()
        _, rest = worker.communicate(timeout=60)

    assert "Connection refused. Waiting for it." in said
    assert rest.startswith("Worker ")
    assert worker.returncode == 0


def test_a_server_that_refuses_is_not_waited_for(pair: Shell, postgres: Postgres) -> None:
    done = pair.run("worker", "--store", f"{postgres.url.rpartition('/')[0]}/elsewhere")

    assert done.returncode == 1
    assert 'database "elsewhere" does not exist' in done.stderr
    assert "Waiting" not in done.stderr


def test_a_server_that_is_not_there_is_reported_with_what_to_do(pair: Shell) -> None:
    done = pair.run("batch", "list", "--store", "postgresql://orc@127.0.0.1:1/none")

    assert done.returncode == 1
    assert "can't use the store `postgresql://orc@127.0.0.1:1/none`" in done.stderr
    assert "~/.pgpass" in done.stderr
