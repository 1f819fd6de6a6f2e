"""Which answers of a batch are in its store, read as text: whatever form they are kept in."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa

from llm_orc.batches.database import open_engine
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import ENGINE_SCHEMA, ENGINE_STEPS, PARTS, ROWS, engine_connection
from tests.batches.witness import Call

_ANSWER = re.compile(r"([\w/\[\]]+) on row (\d+): [0-9a-f]{16}")
_STEPS = sa.Table(ENGINE_STEPS.name, sa.MetaData(), sa.Column("output", sa.Text), schema=ENGINE_SCHEMA)


def stored_calls(store: str) -> set[Call]:
    """Return the calls whose answers are stored: as steps, as parts of a row, or in the record of an ended row."""
    engine = open_engine(parse_store_url(store, Path()))
    try:
        with engine_connection(engine) as connection:
            steps = connection.execute(sa.select(_STEPS.c.output)).scalars()
            parts = connection.execute(sa.select(PARTS.c.outcome)).scalars()
            records = connection.execute(sa.select(ROWS.c.record)).scalars()
            texts = [*filter(None, steps), *parts, *(bytes(record).decode() for record in records if record)]
    finally:
        engine.dispose()
    return {(int(row), agent) for text in texts for agent, row in _ANSWER.findall(text.replace("\\n", "\n"))}
