"""Queue again what workers have left who went without a word, and park a row that takes them down."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.batch import AGENT_WORKFLOW, parse_workflow_id, row_of_agent, workflow_id
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.tables import ENGINE_STEPS, ROWS, engine_connection
from llm_orc.batches.workers.queues import cancel_all, queue_again

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dbos import DBOSClient, WorkflowStatus

SUSPECT_FROM = 2  # takeovers without one more answer: then the row is carried out as the only such one
MOST_TAKEOVERS = 5  # of a row that has not one more answer at each: it takes its workers down

_AT_ONCE = 500


def queue_what_is_left(engine: sa.Engine, client: DBOSClient, left: Sequence[WorkflowStatus]) -> None:
    """Queue `left` again. Each row is counted once for each worker that held it, or an agent asked for it.

    Agents of a row that is suspected are taken off their queue: it asks for them again when its turn has come.
    """
    by_row: defaultdict[str, list[WorkflowStatus]] = defaultdict(list)
    for status in left:
        by_row[row_of_agent(status.workflow_id)].append(status)
    takeovers = _count(engine, {row: len({one.executor_id for one in found}) for row, found in by_row.items()})
    again: list[WorkflowStatus] = []
    for row, found in by_row.items():
        times = takeovers.get(row, MOST_TAKEOVERS + 1)  # none: its batch was deleted, or a later attempt goes on
        if times > MOST_TAKEOVERS:
            client.cancel_workflows([row])
        if times >= SUSPECT_FROM:
            cancel_all(client, f"{row}:", AGENT_WORKFLOW)
        if times <= MOST_TAKEOVERS:
            again += [one for one in found if one.workflow_id == row or times < SUSPECT_FROM]
    queue_again(engine, again)


def _count(engine: sa.Engine, workers: Mapping[str, int]) -> dict[str, int]:
    """Return how often workers of each row have gone without one more answer; park those that are to blame.

    `workers` says how many have gone now: the next one may have taken an agent off its queue and gone too, before
    anybody took over from the first.
    """
    parked: list[_Row] = []
    takeovers: dict[str, int] = {}
    with engine_connection(engine) as connection, connection.begin():
        steps = dict(_steps(connection, sorted(workers)))
        for row in _rows(connection, workers):
            answers = steps.get(row.workflow, 0)
            times = row.takeovers
            if answers > row.steps_then:
                times = 1
            elif times < SUSPECT_FROM or row.is_alone or len(workers) == 1:  # else another may be to blame
                times += workers[row.workflow]
            takeovers[row.workflow] = times
            this = sa.update(ROWS).where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number)
            connection.execute(this.values(takeovers=times, steps_then=answers, alone=0))
            if times > MOST_TAKEOVERS:
                parked.append(row)
    for row in parked:
        why = f"the process that worked on it ended {takeovers[row.workflow]} times without one more answer"
        BatchStore(engine).park(row.batch_id, row.number, why, time.time())
    return takeovers


@dataclass(frozen=True, slots=True)
class _Row:
    workflow: str
    batch_id: str
    number: int
    takeovers: int
    steps_then: int
    is_alone: bool


def _rows(connection: sa.Connection, workflows: Collection[str]) -> Iterator[_Row]:
    """Yield the rows whose present attempt these are; others have none."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for workflow in workflows:
        if (name := parse_workflow_id(workflow)) is not None:
            numbers[name.batch_id].append(name.number)
    columns = (ROWS.c.number, ROWS.c.attempt, ROWS.c.takeovers, ROWS.c.steps_then, ROWS.c.alone)
    for batch_id, of_batch in sorted(numbers.items()):
        in_order = sorted(of_batch)
        for start in range(0, len(in_order), _AT_ONCE):
            these = (ROWS.c.batch_id == batch_id, ROWS.c.number.in_(in_order[start : start + _AT_ONCE]))
            # Locked, in one order: a takeover that takes long is ended and begun by another, while it goes on.
            found = sa.select(*columns).where(*these).order_by(ROWS.c.number).with_for_update()
            for number, attempt, takeovers, steps_then, alone in connection.execute(found).all():
                row = workflow_id(batch_id, number, attempt)
                if row in workflows:
                    yield _Row(row, batch_id, number, takeovers, steps_then, bool(alone))


def _steps(connection: sa.Connection, workflows: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield how many answers are kept of each workflow that has any."""
    of = ENGINE_STEPS.c.workflow_uuid
    for start in range(0, len(workflows), _AT_ONCE):
        some = workflows[start : start + _AT_ONCE]
        counted = sa.select(of, sa.func.count()).where(of.in_(some)).group_by(of)
        yield from map(tuple, connection.execute(counted).all())
