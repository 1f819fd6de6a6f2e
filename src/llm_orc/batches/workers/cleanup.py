"""Delete what the durable engine keeps of finished rows, whose own record has everything."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.batch import AGENT_WORKFLOW, ROW_WORKFLOW, row_of_agent
from llm_orc.batches.database import in_store
from llm_orc.batches.workers.foreign_work import DAMAGED_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbos import DBOSClient

_EVERY_S = 2.0
_MANY = 2_000
_AT_ONCE = 40  # few: an answer that arrives meanwhile waits
_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(7308064)")


async def clean_up_regularly(engine: sa.Engine, client: DBOSClient) -> None:
    """Clean up every few seconds, until cancelled."""
    while True:
        await asyncio.sleep(_EVERY_S)
        with suppress(*DAMAGED_ROWS):  # which will be removed
            await in_store(partial(clean_up, engine, client))


def clean_up(engine: sa.Engine, client: DBOSClient) -> None:
    """Delete all finished workflows, of any worker. On PostgreSQL, one worker does so at a time."""
    for delete_some in (_rows, _agents):
        may_be_more = True
        while may_be_more:
            with _alone(engine) as is_alone:
                may_be_more = is_alone and delete_some(client)


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[bool]:
    if engine.dialect.name != "postgresql":
        yield True
        return
    with engine.begin() as connection:
        yield bool(connection.execute(_LOCK).scalar_one())


def _rows(client: DBOSClient) -> bool:
    """Delete some; return whether there may be more."""
    over = _over(client, ROW_WORKFLOW)
    client.delete_workflows(over)
    return len(over) == _AT_ONCE


def _agents(client: DBOSClient) -> bool:
    """Delete some agents whose row is finished; return whether there may be more."""
    over = _over(client, AGENT_WORKFLOW, _MANY)  # those of cancelled rows stay, and come first
    if not over:
        return False
    rows = sorted({row_of_agent(name) for name in over})
    there = client.list_workflows(workflow_ids=rows, load_input=False, load_output=False)
    needed = {row.workflow_id for row in there}
    gone = [name for name in over if row_of_agent(name) not in needed]
    client.delete_workflows(gone[:_AT_ONCE])
    return len(gone) > _AT_ONCE


def _over(client: DBOSClient, name: str, limit: int = _AT_ONCE) -> list[str]:
    found = client.list_workflows(name=name, status="SUCCESS", limit=limit, load_input=False, load_output=False)
    return [status.workflow_id for status in found]
