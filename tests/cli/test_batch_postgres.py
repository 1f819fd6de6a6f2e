"""Batches on PostgreSQL, as a person runs them: `--store` is the only change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.durable.postgres import Postgres, find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell

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
LIMITED = {
    "providers": {
        "sandboxed": {
            "base_url": "http://127.0.0.1:9",
            "dialect": "openai-chat",
            "billing": "local",
            "max_concurrent": 3,
            "requests_per_minute": 3000,
        }
    }
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    programs = find_programs()
    assert programs is not None
    with Postgres(programs) as server:
        yield server


@pytest.fixture
def pair(shell: Shell) -> Shell:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    shell.config.parent.mkdir(parents=True, exist_ok=True)
    shell.config.write_text(json.dumps(LIMITED))
    (shell.cwd / "in.txt").write_text("".join(f"row {n}\n" for n in range(40)))
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
    assert [row["row"] for row in rows] == list(range(1, 41))
    assert {row["status"] for row in rows} == {"completed"}
    assert len(seen) == 1
    assert worker.returncode == 143
    assert json.loads(pair.run("workers", "--json", *store).stdout) == []


def test_a_batch_that_is_deleted_is_gone(pair: Shell, postgres: Postgres) -> None:
    import sqlalchemy as sa

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


def test_a_worker_that_comes_while_the_server_restarts_waits_for_it(pair: Shell, postgres: Postgres) -> None:
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


def test_a_server_that_says_no_is_not_waited_for(pair: Shell, postgres: Postgres) -> None:
    done = pair.run("worker", "--store", postgres.url.replace("/postgres", "/elsewhere"))

    assert done.returncode == 1
    assert 'database "elsewhere" does not exist' in done.stderr
    assert "Waiting" not in done.stderr


def test_a_server_that_is_not_there_is_said_with_what_to_do(pair: Shell) -> None:
    done = pair.run("batch", "list", "--store", "postgresql://orc@127.0.0.1:1/none")

    assert done.returncode == 1
    assert "can't use the store `postgresql://orc@127.0.0.1:1/none`" in done.stderr
    assert "~/.pgpass" in done.stderr
