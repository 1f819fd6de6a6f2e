"""kill -9 in the middle of a batch: no answer is lost or swapped, and hardly any call is repeated."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from tests.batches.stored import stored_calls
from tests.batches.witness import Witness
from tests.batches.worker_process import CALLS, batch_id
from tests.program.popen import create_program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX's"),
]
ROWS = int(os.environ.get("LLM_ORC_TEST_ROWS", "60"))
KILLS = 3
LIMIT_S = 120.0 + ROWS / 2
KEPT_MEANWHILE = ("workflow_status", "operation_outputs", "llm_orc_parts")
SOON = 20  # answers are stored together, several at a time: as many may overtake one
FEW = 3  # answers that more than that overtake, over all kills


async def carried_out(
    store: Path, witness: Witness, variant: str, kills: int, rows: int = ROWS, *, nested: bool = False
) -> None:
    """Carry the batch out, and kill its process so many times on the way."""
    for n in range(1, kills + 1):
        await killed(store, witness, variant, rows, n / (kills + 2), nested=nested)
    process = await start(store, witness, variant, rows, nested=nested)
    async with asyncio.timeout(LIMIT_S):
        assert await process.wait() == 0, await stderr_of(process)


async def killed(
    store: Path, witness: Witness, variant: str, rows: int, share: float, *, nested: bool = False
) -> None:
    """Carry the batch out until this share of all calls has been answered, and kill the process."""
    process = await start(store, witness, variant, rows, nested=nested)
    async with asyncio.timeout(LIMIT_S):
        while len(witness.answered) < rows * CALLS[nested] * share:
            assert process.returncode is None, await stderr_of(process)
            await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
    witness.note_kill(process.pid, partial(stored_calls, str(store)))


async def start(
    store: Path, witness: Witness, variant: str, rows: int, *, nested: bool
) -> asyncio.subprocess.Process:
    arguments = (str(store), witness.url, str(rows), variant, json.dumps({"nested": nested}))
    return await create_program(*arguments, module="tests.batches.worker_process")


async def stderr_of(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read()).decode()


def answers(store: Path, rows: int = ROWS, *, nested: bool = False) -> dict[tuple[int, str], str | None]:
    engine = open_engine(parse_store_url(str(store), store))
    try:
        ended = list(BatchStore(engine).rows(batch_id(rows, nested=nested), range(1, rows + 1)))
    finally:
        engine.dispose()
    assert all(row.result is not None for row in ended)
    return {(row.number, one.name): one.response for row in ended if row.result for one in row.result.agents}


async def test_after_kills_every_answer_is_that_of_an_unkilled_run_and_stored_once(tmp_path: Path) -> None:
    """Answers are in the rows' records; the engine's copies are deleted, also those of a killed process."""
    async with Witness(spread_s=0.05) as undisturbed:
        await carried_out(tmp_path / "undisturbed.sqlite", undisturbed, "ours", 0)

    assert not undisturbed.repeated

    store = tmp_path / "killed.sqlite"
    async with Witness() as witness:
        await carried_out(store, witness, "ours", KILLS)

    assert answers(store) == answers(tmp_path / "undisturbed.sqlite")
    assert len(witness.answered) == ROWS * 4
    assert not witness.unexplained()
    assert witness.overtaken(SOON) < FEW
    assert kept_meanwhile(store) == [0, 0, 0]


def kept_meanwhile(store: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in KEPT_MEANWHILE]


async def test_a_kill_repeats_only_what_was_in_flight_within_agents(tmp_path: Path) -> None:
    """Each row's models are asked within agents that run within others; only the last one is not."""
    rows, store = 10, tmp_path / "nested.sqlite"
    async with Witness(spread_s=0.05) as undisturbed:
        await carried_out(tmp_path / "undisturbed.sqlite", undisturbed, "ours", 0, rows, nested=True)
    async with Witness() as witness:
        await carried_out(store, witness, "ours", 2, rows, nested=True)

    assert answers(store, rows, nested=True) == answers(tmp_path / "undisturbed.sqlite", rows, nested=True)
    assert len(witness.answered) == rows * CALLS[True]
    assert not witness.unexplained()
    assert witness.overtaken(SOON) < FEW


async def test_steps_numbered_when_agents_are_ready_swap_answers(tmp_path: Path) -> None:
    """The first control: shows that the test above can fail."""
    async with Witness() as witness:
        await carried_out(tmp_path / "naive.sqlite", witness, "naive", 2, 40)

    wrong = [key for key, text in answers(tmp_path / "naive.sqlite", 40).items() if not is_own(key, text)]
    assert wrong


async def test_sqlite_as_the_engine_opens_it_stores_answers_late(tmp_path: Path) -> None:
    """The second control: without tuning, a kill loses many answers that had arrived."""
    store, kills = tmp_path / "untuned.sqlite", 0
    async with Witness() as witness:
        while witness.overtaken(SOON) < FEW and kills < 10:  # one is nearly always enough
            kills += 1
            await killed(store, witness, "untuned", 200, kills / 12)

    assert witness.overtaken(SOON) >= FEW


def is_own(key: tuple[int, str], text: str | None) -> bool:
    return text is not None and text.startswith(f"{key[1]} on row {key[0]}:")
