"""A row whose columns are damaged fails by itself; the others are read, and carried out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.app.wiring import SystemClock
from llm_orc.batches.batch import NewBatch, NewRow, parse_workflow_id
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import open_engine
from llm_orc.batches.kept_rows import read_fields, read_spend
from llm_orc.batches.outcome import decode_outcome
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import ROWS
from llm_orc.batches.workers.steps.call import call_agent
from llm_orc.batches.workers.steps.sinks import StepObserver
from llm_orc.errors import StorageError
from tests.batches.intruder import RECIPE
from tests.examples import many

if TYPE_CHECKING:
    from pathlib import Path

DAMAGES = (
    b"{",
    b"[1]",
    b'["x"]',
    b'["[\\"no_such_kind\\",{}]"]',
    b'["[\\"run_started\\",{}]"]',
    b"\xff",
    b"[" * 9_999,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_row_with_a_damaged_record_says_so_and_the_others_are_read(tmp_path: Path, damage: bytes) -> None:
    engine = open_engine(parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path))
    batches = BatchStore(engine)
    new = [NewRow(number, number, "task", "", {"a": number}) for number in (1, 2, 3)]
    batches.submit(NewBatch("b1", RECIPE, "", 0.0, 3), new, lambda *_: None, 0.0)
    with engine.begin() as connection:
        this = sa.update(ROWS).where(ROWS.c.number == 2)
        connection.execute(
            this.values(state="completed", ended_at=1.0, record=damage, fields=damage, spend=damage)
        )

    rows = list(batches.rows("b1", [1, 2, 3]))
    ends = batches.ends("b1")
    engine.dispose()

    assert [row.error_code for row in rows] == [None, "row_damaged", None]
    assert "row 2 is damaged" in str(rows[1].error)
    assert rows[1].result is None
    assert [row.fields for row in rows] == [{"a": 1}, {}, {"a": 3}]
    assert [end.spend["unknown"].cost_usd for end in ends] == [None]  # unknown, never zero


@settings(max_examples=many(50))
@given(st.binary())
def test_whatever_the_columns_hold_they_are_read_or_taken_for_unknown(stored: bytes) -> None:
    assert isinstance(read_fields(stored), dict)
    assert isinstance(read_spend(stored), dict)


@settings(max_examples=many(50))
@given(st.text())
def test_a_name_of_a_workflow_is_read_as_it_is_written_or_not_at_all(text: str) -> None:
    name = parse_workflow_id(text)

    assert name is None or text in {name.row, f"{name.row}:{name.agent}"}


@pytest.mark.parametrize(
    "surprise", [ValueError("odd"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), KeyError(1)]
)
def test_whatever_an_agent_raises_is_that_agents_failure(surprise: Exception) -> None:

    async def call(turn: AgentTurn) -> AgentOutput:
        assert turn.prompt == "prompt"
        raise surprise

    watch = StepObserver(AgentPath("a"), "model", SystemClock())
    turn = AgentTurn(AgentPath("a"), AgentSpec("a"), "prompt", watch)
    outcome = decode_outcome(asyncio.run(call_agent(call, turn, watch, lambda _error: False)))

    assert outcome.error is not None
    assert type(surprise).__name__ in outcome.error.message


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE llm_orc_batches SET total = 'many'",
        "UPDATE llm_orc_batches SET created_at = 'long ago'",
        "UPDATE llm_orc_batches SET ensemble = x'ff00'",
        "UPDATE llm_orc_batches SET max_calls = 'x'",
        "UPDATE llm_orc_rows SET number = 'x' WHERE number = 2",
        "UPDATE llm_orc_rows SET error = x'00ff' WHERE number = 2",
        "UPDATE llm_orc_rows SET task = 12.5 WHERE number = 2",
        "UPDATE llm_orc_rows SET state = 'xyz' WHERE number = 2",
    ],
)
def test_a_file_with_values_of_other_types_is_read_or_called_damaged(tmp_path: Path, change: str) -> None:
    engine = open_engine(parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path))
    batches = BatchStore(engine)
    new = [NewRow(number, number, "", error="no input") for number in (1, 2, 3)]
    batches.submit(NewBatch("b1", RECIPE, "", 0.0, 3), new, lambda *_: None, 0.0)
    with engine.begin() as connection:
        connection.execute(sa.text(change))

    message = ""
    try:
        found = batches.batch("b1")
        assert found is not None
        assert found.state == "done"  # a row in an unknown state doesn't keep a batch open
        rows = list(batches.rows("b1", sorted(batches.ended_numbers("b1"))))
        assert {row.error_code for row in rows} <= {"input", "row_damaged"}
    except StorageError as refused:
        message = refused.message
    finally:
        engine.dispose()

    assert "llm_orc_batches" not in change or "is damaged: `llm_orc_batches." in message


def test_a_batch_whose_inputs_were_not_all_kept_says_so(tmp_path: Path) -> None:
    engine = open_engine(parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path))
    batches = BatchStore(engine)
    batches.submit(NewBatch("b1", RECIPE, "", 0.0, 3), [NewRow(1, 1, "task")], lambda *_: None, 0.0)

    found = batches.batch("b1")
    engine.dispose()

    assert found is not None
    assert (found.kept, found.total, found.waiting, found.state) == (1, 3, 3, "open")
