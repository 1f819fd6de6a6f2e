"""A row that ends its process is parked after some attempts, and the others are done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.workers.recovery import MOST_TAKEOVERS
from tests.batches.witness import Witness
from tests.batches.worker_process import batch_id
from tests.program.popen import create_program

pytestmark = pytest.mark.slow
ROWS = 8


async def test_a_row_that_ends_its_process_each_time_is_parked_and_the_others_are_done(tmp_path: Path) -> None:
    store = tmp_path / "batches.sqlite"
    codes: list[int] = []
    async with Witness() as witness:
        arguments = (str(store), witness.url, str(ROWS), "ours", json.dumps({"deadly": 3}))
        while 0 not in codes and len(codes) < 3 * MOST_TAKEOVERS:
            process = await create_program(*arguments, module="tests.batches.worker_process")
            codes.append(await process.wait())

    engine = open_engine(parse_store_url(str(store), store))
    rows = {row.number: row for row in BatchStore(engine).rows(batch_id(ROWS), range(1, ROWS + 1))}
    engine.dispose()
    assert codes[-1] == 0
    assert codes.count(9) == len(codes) - 1 <= MOST_TAKEOVERS + 2
    assert rows[3].state == "failed"
    assert rows[3].error_code == "row_parked"
    assert {row.state for number, row in rows.items() if number != 3} == {"completed"}
