"""Workers that share a PostgreSQL: they join, are killed and suspended, lose their server, and no answer is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import LIMITS, WORKERS
from llm_orc.batches.workers.limits import SharedGate
from llm_orc.batches.workers.recovery import MOST_TAKEOVERS
from tests.batches.postgres import Postgres, find_programs
from tests.batches.stored import stored_calls
from tests.batches.witness import Witness
from tests.batches.worker_process import CALLS, batch_id
from tests.program.popen import create_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_programs() is None, reason="needs PostgreSQL's server programs; .ci/run installs them"
    ),
]
ROWS = int(os.environ.get("LLM_ORC_TEST_ROWS", "60"))  # the longer suite: 2000
LIMIT_S = 120.0 + ROWS / 2


@pytest.fixture
async def witness() -> AsyncIterator[Witness]:
    async with Witness() as witness:
        yield witness


class Workers:
    """Processes that carry out the same batch."""

    def __init__(self, store: str, witness: Witness, rows: int, **options: int) -> None:
        self._arguments = (store, witness.url, str(rows), "ours", json.dumps(options))
        self._store, self._witness, self._calls = store, witness, rows * CALLS[bool(options.get("nested"))]
        self.running: list[asyncio.subprocess.Process] = []
        self._said: dict[int, str] = {}  # what those that have ended printed at their end

    async def join(self) -> asyncio.subprocess.Process:
        process = await create_program(*self._arguments, module="tests.batches.worker_process")
        self.running.append(process)
        return process

    async def kill(self, spare: asyncio.subprocess.Process | None = None) -> None:
        """Kill the oldest process except `spare`."""
        process = next(process for process in self.running if process is not spare)
        self.running.remove(process)
        process.kill()
        self._witness.note_kill(process.pid, partial(stored_calls, self._store))
        await process.wait()

    def suspend(self) -> asyncio.subprocess.Process:
        """Suspend the oldest process."""
        process = self.running[0]
        process.send_signal(signal.SIGSTOP)
        self._witness.note_kill(process.pid, partial(stored_calls, self._store))
        return process

    async def until(self, share: float) -> None:
        """Return when this share of all calls has been answered.

        A worker that others took for dead, as one that this machine gave no time may be, is replaced.
        """
        async with asyncio.timeout(LIMIT_S):
            while len(self._witness.answered) < self._calls * share:
                gone = [p for p in self.running if p.returncode]
                assert not gone, await stderr_of(gone[0])
                for process in [p for p in self.running if p.returncode == 0]:
                    self.running.remove(process)
                    if await self._ended(process) == "evicted":
                        await self.join()
                await asyncio.sleep(0.01)

    async def all_done(self) -> dict[int, str]:
        """Return what each process printed at its end, by its id."""
        async with asyncio.timeout(LIMIT_S):
            for process in self.running:
                await self._ended(process)
        return self._said

    async def _ended(self, process: asyncio.subprocess.Process) -> str:
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        self._said[process.pid] = said = out.decode().strip()
        return said


async def stderr_of(process: asyncio.subprocess.Process) -> str:
    _, err = await process.communicate()
    return err.decode()


def answers(store: str, rows: int, *, nested: bool = False) -> dict[tuple[int, str], str | None]:
    engine = open_engine(parse_store_url(store, Path()))
    try:
        found = list(BatchStore(engine).rows(batch_id(rows, nested=nested), range(1, rows + 1)))
    finally:
        engine.dispose()
    return {(row.number, a.name): a.response for row in found if row.result for a in row.result.agents}


@pytest.mark.parametrize(("nested", "rows"), [(False, ROWS), (True, ROWS // 3)], ids=["flat", "nested"])
async def test_every_answer_is_that_of_an_unkilled_run_whatever_happens_to_three_workers(
    postgres: Postgres, witness: Witness, tmp_path: Path, *, nested: bool, rows: int
) -> None:
    """Kills, joins, a worker that is suspended until others have recovered its rows, and a server that crashes."""
    async with Witness(spread_s=0.02) as undisturbed:
        alone = Workers(str(tmp_path / "alone.sqlite"), undisturbed, rows, nested=nested)
        await alone.join()
        await alone.all_done()
    workers = Workers(postgres.url, witness, rows, dead_after_s=6, nested=nested)

    for _ in range(3):
        await workers.join()
    await workers.until(0.1)
    await workers.kill()
    await workers.join()
    await workers.until(0.3)
    sleeper = workers.suspend()
    await workers.until(0.5)
    await asyncio.to_thread(postgres.restart)
    await workers.until(0.6)
    await workers.kill(spare=sleeper)
    await workers.join()
    await workers.until(1.0)
    sleeper.send_signal(signal.SIGCONT)
    said = await workers.all_done()

    alone_s = answers(str(tmp_path / "alone.sqlite"), rows, nested=nested)
    assert answers(postgres.url, rows, nested=nested) == alone_s
    assert len(witness.answered) == rows * CALLS[nested]
    evicted = {pid for pid, words in said.items() if words == "evicted"} - {sleeper.pid}
    assert not witness.unexplained(evicted)


@pytest.mark.parametrize(("nested", "rows"), [(False, 40), (True, 16)], ids=["flat", "nested"])
async def test_no_more_calls_are_in_flight_or_started_than_all_workers_may_together(
    postgres: Postgres, witness: Witness, *, nested: bool, rows: int
) -> None:
    workers = Workers(postgres.url, witness, rows, concurrent=6, per_minute=1500, nested=nested)

    for _ in range(3):
        await workers.join()
    await workers.until(0.4)
    await workers.kill()
    await workers.join()
    await workers.all_done()

    assert len(witness.answered) == rows * CALLS[nested]
    assert witness.most_in_flight <= 6
    assert witness.most_starts(1.0) <= 1500 / 60 + 3


async def test_a_worker_that_was_held_up_does_not_send_a_burst(postgres: Postgres) -> None:
    engine = open_engine(parse_store_url(postgres.url, Path()))
    with engine.begin() as connection:
        worker = {"host": "h", "pid": 1, "started_at": 0.0, "seen_at": 0.0, "lock_key": 1}
        connection.execute(sa.insert(WORKERS).values(worker_id="w", **worker))
        connection.execute(sa.insert(LIMITS).values(key="p", requests_per_minute=600))
    gate, starts = SharedGate(engine, "w"), list[float]()

    async def start() -> None:
        await gate.start("p", 0)
        starts.append(time.monotonic())

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        for _ in range(15):
            group.create_task(start())
        while len(starts) < 3:
            await asyncio.sleep(0.01)
        time.sleep(1.0)  # noqa: ASYNC251 - the worker is held up
    engine.dispose()

    at_once = [sum(1 for at in starts if first <= at < first + 0.3) for first in starts]
    assert max(at_once) <= 0.3 * 600 / 60 + 1


async def test_a_row_that_ends_its_process_is_parked_and_its_queued_agents_too(
    postgres: Postgres, witness: Witness
) -> None:
    """Agents are called from their provider's queue, by any worker: the row is still the one to blame."""
    rows = 8
    workers = Workers(postgres.url, witness, rows, concurrent=6, deadly=3, check_s=1)
    codes: list[int | None] = []
    async with asyncio.timeout(LIMIT_S):
        while 0 not in codes:
            process = await workers.join()
            await process.communicate()
            codes.append(process.returncode)

    engine = open_engine(parse_store_url(postgres.url, Path()))
    found = {row.number: row for row in BatchStore(engine).rows(batch_id(rows), range(1, rows + 1))}
    engine.dispose()
    assert codes.count(9) == len(codes) - 1 <= MOST_TAKEOVERS + 2
    assert found[3].error_code == "row_parked"
    assert {row.state for number, row in found.items() if number != 3} == {"completed"}


async def test_a_budget_of_calls_holds_over_workers_and_kills(postgres: Postgres, witness: Witness) -> None:
    workers = Workers(postgres.url, witness, 40, max_calls=60)

    for _ in range(3):
        await workers.join()
    await workers.until(0.2)
    await workers.kill()
    await workers.join()
    ended = await workers.all_done()

    assert len(witness.calls) <= 60
    assert len(witness.calls) > 40
    assert any("--max-calls" in output for output in ended.values())
