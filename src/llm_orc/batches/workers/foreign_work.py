"""Take work out of the store that we did not put there as it stands, before the engine reads any of it.

Whoever can write to the store can queue anything. What is not just as we queue it is deleted, and the row that it
stands for is parked with the reason; `batch retry-failed` asks for it again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from llm_orc.batches.batch import AGENT_WORKFLOW, ROW_WORKFLOW, WorkflowName, parse_workflow_id
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import in_store
from llm_orc.batches.tables import (
    ENGINE_INPUTS,
    ENGINE_SCHEDULES,
    ENGINE_SCHEMA,
    ENGINE_WORKFLOWS,
    engine_connection,
)
from llm_orc.batches.workers.queues import APPLICATION
from llm_orc.batches.workers.serializer import SERIALIZATION, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_orc.batches.store_url import Place

DAMAGED = (ValueError, TypeError, KeyError)
"""What the engine raises where it lists a row with damaged columns; who lists again later does without it."""

_MOST_SHOWN = 60  # characters of a name
_MOST_CHECKED = 1_000  # characters of inputs
_AT_ONCE = 500
_OF = ENGINE_WORKFLOWS.c
_UNFINISHED = ("ENQUEUED", "DELAYED", "PENDING")
_UNKNOWN_WORK = "it names work that `llm-orc` doesn't do"
_OTHER_INPUTS = "what it is to begin with is not what its name says"
_NOT_BEGUN = "it could not be begun: what the store holds of it is damaged"


@dataclass(frozen=True, slots=True)
class _Foreign:
    name: object  # of the workflow; of whatever type a file holds
    why: str


async def keep_foreign_work_out(
    engine: sa.Engine, place: Place, told: Callable[[str], None], every_s: float
) -> None:
    """Look again and again, until it is cancelled; `told` gets a sentence for each that was taken out."""
    while True:
        await asyncio.sleep(every_s)
        for sentence in await in_store(partial(take_foreign_work, engine, place, waiting=False)):
            told(sentence)


def take_foreign_work(engine: sa.Engine, place: Place, *, waiting: bool) -> list[str]:
    """Delete what is not ours and park its rows; return a sentence for each. Blocks.

    `waiting` looks at the inputs of all that waits, else only of what is under way: cheap enough to be done again
    and again, and enough while the engine reads no other form.
    """
    with engine_connection(engine) as connection:
        if not _has_engine_tables(connection):
            return []
        foreign = [*_other_inputs(connection, waiting=waiting), *_other_forms(connection)]  # the form says more
        found = {str(one.name): one for one in foreign}
        over = list(_over_with_errors(connection))
        any_schedule = sa.select(sa.exists().where(_is_given_to_us(ENGINE_SCHEDULES)))
        scheduled = connection.execute(any_schedule).scalar_one()
    if not (found or over or scheduled):
        return []  # nearly always, and nothing is written
    batches, sentences = BatchStore(engine), []
    for one in (*found.values(), *over):
        name = parse_workflow_id(one.name)
        if name is not None:
            why = f"the store `{place}` was changed by others: {one.why}"
            is_parked = batches.park(name.batch_id, name.number, why, time.time(), attempt=name.attempt)
            if is_parked:
                sentences.append(f"{name.batch_id}: row {name.number} is parked, {why}")
        else:
            shown = str(one.name)[:_MOST_SHOWN]
            sentences.append(f"`{shown}` was deleted from the store `{place}`: {one.why}")
    with engine_connection(engine) as connection, connection.begin():
        names = [one.name for one in (*found.values(), *over)]
        for start in range(0, len(names), _AT_ONCE):
            these = _OF.workflow_uuid.in_(names[start : start + _AT_ONCE])
            connection.execute(sa.delete(ENGINE_WORKFLOWS).where(these))
        connection.execute(sa.delete(ENGINE_SCHEDULES).where(_is_given_to_us(ENGINE_SCHEDULES)))  # we make none
    return sentences


def _has_engine_tables(connection: sa.Connection) -> bool:
    schema = None if connection.dialect.name == "sqlite" else ENGINE_SCHEMA
    there = sa.inspect(connection)
    return all(
        there.has_table(table.name, schema=schema) for table in (ENGINE_WORKFLOWS, ENGINE_INPUTS, ENGINE_SCHEDULES)
    )


def _is_given_to_us(table: sa.Table) -> sa.ColumnElement[bool]:
    """The engine gives an application what is its own, and what is nobody's. Others may use the same database."""
    owner = table.c.application_name
    return sa.or_(owner == APPLICATION, owner.is_(None))


def _other_forms(connection: sa.Connection) -> Iterator[_Foreign]:
    """Yield what is kept in another form than ours, or could harm whoever lists it, however it stands."""
    is_other_form = sa.and_(_OF.serialization.is_not(None), _OF.serialization != SERIALIZATION)
    attributes = sa.cast(_OF.attributes, sa.Text)
    is_unknown = sa.or_(
        _OF.name.is_(None),
        _OF.name.not_in((ROW_WORKFLOW, AGENT_WORKFLOW)),
        _OF.class_name.is_not(None),
        _OF.config_name.is_not(None),
        _OF.authenticated_roles.is_not(None),
        sa.and_(attributes.is_not(None), attributes != "null"),
    )
    columns = sa.select(_OF.workflow_uuid, _OF.serialization, is_other_form)
    ours = _is_given_to_us(ENGINE_WORKFLOWS)
    for name, form, is_other in connection.execute(columns.where(ours, sa.or_(is_other_form, is_unknown))):
        yield _Foreign(name, str(refused(str(form))) if is_other else _UNKNOWN_WORK)


def _other_inputs(connection: sa.Connection, *, waiting: bool) -> Iterator[_Foreign]:
    """Yield what begins with other values than the ones in its name."""
    kept = [sa.func.substr(table.c.inputs, 1, _MOST_CHECKED) for table in (ENGINE_WORKFLOWS, ENGINE_INPUTS)]
    joined = ENGINE_WORKFLOWS.outerjoin(ENGINE_INPUTS, _OF.workflow_uuid == ENGINE_INPUTS.c.workflow_uuid)
    columns = sa.select(_OF.workflow_uuid, _OF.name, *kept).select_from(joined)
    these = _OF.status.in_(_UNFINISHED if waiting else ("PENDING",))
    for name, kind, *inputs in connection.execute(columns.where(these, _is_given_to_us(ENGINE_WORKFLOWS))):
        parsed = parse_workflow_id(name)
        begins = None if parsed is None else _beginning(parsed, str(kind))
        if begins is None or not all(one is None or str(one).startswith(begins) for one in inputs):
            yield _Foreign(name, _OTHER_INPUTS)


def _beginning(name: WorkflowName, kind: str) -> str | None:
    """Return what the inputs of a workflow begin with, as the engine keeps them; None where it can have none."""
    if (kind == AGENT_WORKFLOW) != (name.agent is not None):
        return None
    if name.agent is None:
        return msgspec.json.encode({"args": (name.batch_id, name.number, name.attempt), "kwargs": {}}).decode()
    of_agent = msgspec.json.encode({"args": (name.row, name.agent)}).decode()
    return of_agent.removesuffix("]}") + ',"'  # and its prompt


def _over_with_errors(connection: sa.Connection) -> Iterator[_Foreign]:
    """Yield rows that the engine could not begin. One that failed in our hands is parked already, and stays so."""
    these = (_OF.status == "ERROR", _OF.name == ROW_WORKFLOW, _is_given_to_us(ENGINE_WORKFLOWS))
    for (name,) in connection.execute(sa.select(_OF.workflow_uuid).where(*these)):
        yield _Foreign(name, _NOT_BEGUN)
