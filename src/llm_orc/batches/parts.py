"""Parts of a row: the outcomes of what has ended within its agents, by path, until the row itself ends.

An execution of a row is known by the token that the durable engine gives it. Once another execution has the row,
the earlier one can store no part: it might contradict what the later one goes on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from llm_orc.batches.batch import parse_workflow_id
from llm_orc.batches.tables import ENGINE_WORKFLOWS, PARTS, damage_of, engine_connection
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llm_orc.batches.batch import WorkflowName


@dataclass(frozen=True, slots=True)
class RowExecution:
    """One execution of a row: the id of its workflow, and the token that lets it store answers."""

    workflow: str
    token: str


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part that is about to be stored; `outcome` is that of `batches.outcome`, as text."""

    of: RowExecution
    path: str
    outcome: str


def execution_of(engine: sa.Engine, workflow: str, worker_id: str) -> RowExecution | None:
    """Return the execution of a row by this worker; None if the worker doesn't have it any more. Blocks."""
    of = ENGINE_WORKFLOWS.c
    this = (of.workflow_uuid == workflow, of.status == "PENDING", of.executor_id == worker_id)
    with engine_connection(engine) as connection:
        token = connection.execute(sa.select(of.owner_xid).where(*this)).scalar()
    return RowExecution(workflow, token) if isinstance(token, str) else None


def is_held(connection: sa.Connection, of: RowExecution) -> bool:
    """Return whether the row is still this execution's: no other one gets it before the transaction ends."""
    this = (ENGINE_WORKFLOWS.c.workflow_uuid == of.workflow, ENGINE_WORKFLOWS.c.owner_xid == of.token)
    held = sa.select(ENGINE_WORKFLOWS.c.workflow_uuid).where(*this)
    return connection.execute(held.with_for_update(key_share=True)).first() is not None


def parts_of(engine: sa.Engine, workflow: str) -> dict[str, str]:
    """Return the outcomes that earlier executions of the row have stored, by path. Blocks.

    Raises `StorageError` if they are damaged.
    """
    row = _parsed(workflow)
    these = (PARTS.c.batch_id == row.batch_id, PARTS.c.number == row.number, PARTS.c.attempt == row.attempt)
    with engine.connect() as connection:
        found = connection.execute(sa.select(PARTS).where(*these)).all()
    for part in found:
        if (damage := damage_of(PARTS, part)) is not None:
            raise StorageError(f"the store's data of row {row.number} is damaged: {damage}")
    return {part.path: part.outcome for part in found}


def store_parts(engine: sa.Engine, parts: Sequence[NewPart]) -> frozenset[RowExecution]:
    """Store parts in one transaction; return the executions whose rows are no longer theirs: they store none.

    Doing it twice is harmless. Raises `IntegrityError` if a batch was deleted. Blocks.
    """
    of = ENGINE_WORKFLOWS.c
    rows = sorted({part.of.workflow for part in parts})
    held = sa.select(of.workflow_uuid, of.owner_xid).where(of.workflow_uuid.in_(rows)).order_by(of.workflow_uuid)
    with engine_connection(engine) as connection, connection.begin():
        # Locked until the end: no other execution can get the row and read its parts before these are stored.
        found = connection.execute(held.with_for_update(key_share=True)).all()
        owning = {RowExecution(workflow, token) for workflow, token in found}
        values = [_values(part) for part in parts if part.of in owning]
        if values:
            insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
            connection.execute(insert(PARTS).on_conflict_do_nothing(), values)
    return frozenset(part.of for part in parts if part.of not in owning)


def delete_parts(connection: sa.Connection, batch_id: str, number: int) -> None:
    """Delete the parts of all attempts at a row."""
    connection.execute(sa.delete(PARTS).where(PARTS.c.batch_id == batch_id, PARTS.c.number == number))


def count_parts(connection: sa.Connection, workflows: Iterable[str]) -> Mapping[str, int]:
    """Return how many parts each of these rows has, for rows that have any."""
    counts: dict[str, int] = {}
    for workflow in workflows:
        if (row := parse_workflow_id(workflow)) is not None:
            these = (
                PARTS.c.batch_id == row.batch_id,
                PARTS.c.number == row.number,
                PARTS.c.attempt == row.attempt,
            )
            counted = connection.execute(sa.select(sa.func.count()).select_from(PARTS).where(*these)).scalar_one()
            if counted:
                counts[workflow] = counted
    return counts


def _values(part: NewPart) -> dict[str, object]:
    row = _parsed(part.of.workflow)
    of_row = {"batch_id": row.batch_id, "number": row.number, "attempt": row.attempt}
    return {**of_row, "path": part.path, "outcome": part.outcome}


def _parsed(workflow: str) -> WorkflowName:
    row = parse_workflow_id(workflow)
    assert row is not None
    return row
