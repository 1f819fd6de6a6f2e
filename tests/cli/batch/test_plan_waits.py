"""Rows that wait for a plan hold no place, survive `kill -9`, and go on after the reset; on a file and PostgreSQL."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from llm_orc.batches.database import engine_of
from llm_orc.batches.store_url import StoreUrl, parse_store_url
from llm_orc.batches.tables import ENGINE_WORKFLOWS, PLAN_WAITS, engine_connection
from tests.cli.run.test_stop import wait_for
from tests.fakes.claude import StandIn, install

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.cli.conftest import Shell

pytestmark = pytest.mark.slow

ROWS = 6
BOTH = """\
name: both
agents:
  - {name: free}
  - {name: planned, model: anthropic-claude-pro-max}
  - {name: chair, depends_on: [planned, free]}
"""
LIMIT_S = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StoreUrl:
    if request.param == "sqlite":
        return parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path)
    return parse_store_url(request.getfixturevalue("postgres").url, tmp_path)


@pytest.fixture
def claude(tmp_path: Path) -> StandIn:
    return install(tmp_path / "stand-in")


@pytest.fixture
def place(bare: Shell, pretend: str, claude: StandIn, store: StoreUrl) -> Shell:
    bare.environ["PATH"] = claude.path
    bare.environ["LLM_ORC_STORE"] = str(store)
    bare.own_ensemble("both", BOTH)
    bare.talks_to(pretend)
    claude.set_up(do="limit")
    (bare.cwd / "in.txt").write_text("".join(f"row {n}\n" for n in range(ROWS)))
    return bare


def status(place: Shell) -> Any:
    done = place.run("batch", "status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until_all_wait(place: Shell, process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what is told of the rows once all of them wait for the plan."""
    wait_for(process.stderr, "Batch b")
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        waiting: dict[str, Any] | None = status(place)["waiting_for_plan"]
        if waiting is not None and waiting["rows"] == ROWS:
            return waiting
        assert process.poll() is None, process.communicate()
    raise AssertionError(f"not all rows wait: {status(place)}")


def let_the_reset_come(store: StoreUrl) -> None:
    """Two hours pass, as far as the store knows."""
    engine = engine_of(store)
    with engine_connection(engine) as connection, connection.begin():
        delayed = sa.update(ENGINE_WORKFLOWS).where(ENGINE_WORKFLOWS.c.status == "DELAYED")
        connection.execute(delayed.values(delay_until_epoch_ms=int(time.time() * 1000) - 1))
    with engine.begin() as connection:
        connection.execute(sa.update(PLAN_WAITS).values(until=time.time() - 1))
    engine.dispose()


def test_rows_wait_without_a_place_are_killed_and_go_on(place: Shell, claude: StandIn, store: StoreUrl) -> None:
    command = (
        "batch",
        "both",
        "--inputs",
        "in.txt",
        "--wait-for-plan",
        "--max-concurrent",
        "2",
        "--max-calls",
        "99",
    )
    with place.started(*command) as process:
        waiting = until_all_wait(place, process)
        process.kill()
    refused = len(claude.prompts)
    assert refused <= 2  # the rows that were in progress when the first was refused

    with place.started("batch", "resume") as process:
        wait_for(process.stderr, f"{ROWS} rows wait for a plan until 20")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert f"{ROWS} rows wait for a plan until 20" in place.run("batch", "status").stdout
    assert "Resume with: llm-orc batch resume" in err
    assert status(place)["waiting_for_plan"] == waiting
    assert len(claude.prompts) == refused

    let_the_reset_come(store)
    claude.set_up(do="answer")
    done = place.run("batch", "resume", "--ordered")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in rows] == ["completed"] * ROWS
    assert len(claude.prompts) == refused + ROWS
    after = status(place)
    assert after["calls"] <= 2 + 3 * ROWS  # but for those that the plan refused, no agent was asked twice
    assert after["waiting_for_plan"] is None
    assert after["by_billing"].keys() == {"local", "subscription"}


def test_a_worker_that_starts_before_the_reset_calls_nothing(
    place: Shell, claude: StandIn, store: StoreUrl
) -> None:
    with place.started("batch", "both", "--inputs", "in.txt", "--wait-for-plan", "--again") as process:
        until_all_wait(place, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    refused = len(claude.prompts)
    engine = engine_of(store)
    with engine_connection(engine) as connection, connection.begin():  # the rows are taken before their time
        delayed = sa.update(ENGINE_WORKFLOWS).where(ENGINE_WORKFLOWS.c.status == "DELAYED")
        connection.execute(delayed.values(status="ENQUEUED"))
    engine.dispose()

    with place.started("worker") as process:
        wait_for(process.stderr, "Worker ")
        deadline = time.monotonic() + LIMIT_S
        while (status(place)["waiting_for_plan"] or {"rows": 0})["rows"] < ROWS:
            assert time.monotonic() < deadline, status(place)
        process.terminate()
        process.communicate(timeout=LIMIT_S)

    assert len(claude.prompts) == refused


def test_agents_on_the_queue_of_a_limited_provider_wait_with_their_rows(
    place: Shell, claude: StandIn, store: StoreUrl
) -> None:
    with place.config.open("a") as config:
        config.write("  anthropic-claude-pro-max: {max_concurrent: 1}\n")
    with place.started("batch", "both", "--inputs", "in.txt", "--wait-for-plan", "--again") as process:
        until_all_wait(place, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    refused = len(claude.prompts)

    let_the_reset_come(store)
    claude.set_up(do="answer")
    done = place.run("batch", "resume")

    assert done.returncode == 0, done.stderr
    assert len(claude.prompts) == refused + ROWS


def test_without_the_option_rows_fail_with_the_reset_time(place: Shell, claude: StandIn) -> None:
    done = place.run("batch", "both", "--inputs", "in.txt", "--again", "--ordered")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert {row["results"]["planned"]["error"]["code"] for row in rows} == {"plan_limit_reached"}
    assert "it resets at 20" in rows[0]["results"]["planned"]["error"]["message"]
