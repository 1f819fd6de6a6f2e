"""The plans that a batch has found used up, for all its workers: none of them calls one before its reset."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from llm_orc.agents.path import AgentPath
from llm_orc.batches.batch import ROW_WORKFLOW, WaitingRows
from llm_orc.batches.tables import ENGINE_WORKFLOWS, PLAN_WAITS, engine_connection
from llm_orc.engine.events import PlanWaitStarted
from llm_orc.engine.observer import plan_wait_started
from llm_orc.errors import StorageError
from llm_orc.runs.plan_waits import used_up_of
from llm_orc.runs.wire import decode_event, encode_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.providers.limits.plans import UsedUp


def note_wait(engine: sa.Engine, batch_id: str, used_up: UsedUp, now: float) -> None:
    """Keep that the plan is used up; a later reset counts. Blocks."""
    _, wait = encode_event(plan_wait_started(used_up, AgentPath(""), now))
    plan = msgspec.json.encode((used_up.access, used_up.model)).decode()
    this = (PLAN_WAITS.c.batch_id == batch_id, PLAN_WAITS.c.plan == plan)
    values = {"until": used_up.until, "wait": wait}
    with engine.begin() as connection:
        if connection.execute(sa.update(PLAN_WAITS).where(*this).values(**values)).rowcount:
            return
    with suppress(sa.exc.IntegrityError), engine.begin() as connection:  # another worker was faster
        connection.execute(sa.insert(PLAN_WAITS).values(batch_id=batch_id, plan=plan, **values))


def known_waits(engine: sa.Engine, batch_id: str, now: float) -> list[UsedUp]:
    """Return the plans that workers of the batch have found used up, and that still are. Blocks."""
    these = (PLAN_WAITS.c.batch_id == batch_id, PLAN_WAITS.c.until > now)
    with engine.connect() as connection:
        return [used_up_of(wait) for wait in _waits(connection, *these)]


def _waits(connection: sa.Connection, *these: sa.ColumnElement[bool]) -> Iterator[PlanWaitStarted]:
    for (wait,) in connection.execute(sa.select(PLAN_WAITS.c.wait).where(*these)):
        with suppress(StorageError, TypeError):  # damaged, or of a newer release: then the plan is called again
            for event in decode_event("plan_wait_started", wait):
                if isinstance(event, PlanWaitStarted):
                    yield event


def waiting_rows(engine: sa.Engine, batch_id: str, now: float) -> WaitingRows | None:
    """Return how many rows of the batch wait for a plan; None: none does. Blocks."""
    these = (PLAN_WAITS.c.batch_id == batch_id, PLAN_WAITS.c.until > now)
    with engine.connect() as connection:
        until = connection.execute(sa.select(sa.func.min(PLAN_WAITS.c.until)).where(*these)).scalar()
    if until is None:
        return None
    of = ENGINE_WORKFLOWS.c
    delayed = (of.status == "DELAYED", of.name == ROW_WORKFLOW, of.workflow_uuid.startswith(f"{batch_id}:"))
    with engine_connection(engine) as connection:
        rows = connection.execute(sa.select(sa.func.count()).where(*delayed)).scalar_one()
    return WaitingRows(rows, float(until)) if rows else None
