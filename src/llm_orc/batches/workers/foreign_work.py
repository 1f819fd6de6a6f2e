"""Remove foreign work from the store before the durable engine reads it: whatever is not as we queue it.

Anyone who can write to the store can queue anything. A workflow that is not exactly as we queue it is deleted, and
its row is parked with the reason; `batch retry-failed` queues it again.
"""

from __future__ import annotations

import asyncio
import time
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
from llm_orc.batches.workers.engine.serializer import SERIALIZATION, refused
from llm_orc.batches.workers.queues import APPLICATION
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_orc.batches.store_url import StoreUrl

DAMAGED_ROWS = (ValueError, TypeError, KeyError)
"""What the engine raises when it lists a workflow with damaged columns. Once that is removed, listing works."""

_LONGEST_SHOWN = 60  # characters of a name
_LONGEST_CHECKED = 1_000  # characters of inputs
_AT_ONCE = 500
_OF = ENGINE_WORKFLOWS.c
_UNFINISHED = ("ENQUEUED", "DELAYED", "PENDING")
_UNKNOWN_WORK = "it names work that is not of `llm-orc`"
_OTHER_INPUTS = "its inputs are not those that its name says"
_NOT_STARTED = "it could not be started: the store's data about it is damaged"


@dataclass(frozen=True, slots=True)
class _Foreign:
    name: object  # of the workflow; a file may contain any type
    why: str


async def watch_for_foreign_work(
    engine: sa.Engine, store_url: StoreUrl, on_note: Callable[[str], None], every_s: float
) -> None:
    """Remove foreign work every `every_s`, until cancelled; call `on_note` with a sentence for each piece."""
    while True:
        await asyncio.sleep(every_s)
        for sentence in await in_store(partial(remove_foreign_work, engine, store_url, waiting=False)):
            on_note(sentence)


def remove_foreign_work(engine: sa.Engine, store_url: StoreUrl, *, waiting: bool) -> list[str]:
    """Delete foreign workflows and park their rows; return a sentence for each. Blocks.

    With `waiting`, check the inputs of all unfinished workflows, else only of those in progress: that is cheap
    enough to repeat, and enough as long as the engine reads no other form.
    """
    with engine_connection(engine) as connection:
        if not _has_engine_tables(connection):
            return []
        foreign = [
            *_other_inputs(connection, waiting=waiting),
            *_other_forms(connection),
        ]  # the last one says more
        found = {str(one.name): one for one in foreign}
        over = list(_over_with_errors(connection))
        any_schedule = sa.select(sa.exists().where(_is_given_to_us(ENGINE_SCHEDULES)))
        scheduled = connection.execute(any_schedule).scalar_one()
    if not (found or over or scheduled):
        return []  # nearly always; then nothing is written
    batches, sentences = BatchStore(engine), []
    for one in (*found.values(), *over):
        name = parse_workflow_id(one.name)
        if name is not None:
            why = f"the store `{store_url}` was changed by others: {one.why}"
            is_parked = batches.park(name.batch_id, name.number, why, time.time(), attempt=name.attempt)
            if is_parked:
                sentences.append(f"{name.batch_id}: row {name.number} is parked, {why}")
        else:
            shown = str(one.name)[:_LONGEST_SHOWN]
            sentences.append(f"`{shown}` was deleted from the store `{store_url}`: {one.why}")
    with engine_connection(engine) as connection, connection.begin():
        names = [one.name for one in (*found.values(), *over)]
        for start in range(0, len(names), _AT_ONCE):
            these = _OF.workflow_uuid.in_(names[start : start + _AT_ONCE])
            connection.execute(sa.delete(ENGINE_WORKFLOWS).where(these))
        connection.execute(sa.delete(ENGINE_SCHEDULES).where(_is_given_to_us(ENGINE_SCHEDULES)))  # we create none
    return sentences


def _has_engine_tables(connection: sa.Connection) -> bool:
    schema = None if connection.dialect.name == "sqlite" else ENGINE_SCHEMA
    there = sa.inspect(connection)
    return all(
        there.has_table(table.name, schema=schema) for table in (ENGINE_WORKFLOWS, ENGINE_INPUTS, ENGINE_SCHEDULES)
    )


def _is_given_to_us(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether the engine gives it to us: it is ours or no application's. Others may use the same database."""
    owner = table.c.application_name
    return sa.or_(owner == APPLICATION, owner.is_(None))


def _other_forms(connection: sa.Connection) -> Iterator[_Foreign]:
    """Yield workflows in another form than ours, or that could harm a process that lists them, in any state."""
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
    """Yield workflows whose inputs differ from the values in their names."""
    kept = [sa.func.substr(table.c.inputs, 1, _LONGEST_CHECKED) for table in (ENGINE_WORKFLOWS, ENGINE_INPUTS)]
    joined = ENGINE_WORKFLOWS.outerjoin(ENGINE_INPUTS, _OF.workflow_uuid == ENGINE_INPUTS.c.workflow_uuid)
    columns = sa.select(_OF.workflow_uuid, _OF.name, *kept).select_from(joined)
    these = _OF.status.in_(_UNFINISHED if waiting else ("PENDING",))
    for name, kind, *inputs in connection.execute(columns.where(these, _is_given_to_us(ENGINE_WORKFLOWS))):
        parsed = parse_workflow_id(name)
        start = None if parsed is None else _start_of_inputs(parsed, str(kind))
        if start is None or not all(one is None or str(one).startswith(start) for one in inputs):
            yield _Foreign(name, _OTHER_INPUTS)


def _start_of_inputs(name: WorkflowName, kind: str) -> str | None:
    """Return the start of a workflow's inputs as the engine stores them; None if its name is not of its kind."""
    if (kind == AGENT_WORKFLOW) != (name.agent is not None):
        return None
    if name.agent is None:
        return msgspec.json.encode({"args": (name.batch_id, name.number, name.attempt), "kwargs": {}}).decode()
    of_agent = msgspec.json.encode({"args": (name.row, name.agent)}).decode()
    return of_agent.removesuffix("]}") + ',"'  # its prompt follows


def _over_with_errors(connection: sa.Connection) -> Iterator[_Foreign]:
    """Yield rows that the engine could not start. A row that failed after its start is parked already."""
    these = (_OF.status == "ERROR", _OF.name == ROW_WORKFLOW, _is_given_to_us(ENGINE_WORKFLOWS))
    for (name,) in connection.execute(sa.select(_OF.workflow_uuid).where(*these)):
        yield _Foreign(name, _NOT_STARTED)
