"""Recover the rows of dead workers: queue them again, and park a row that ends its worker each time."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.batch import AGENT_WORKFLOW, parse_workflow_id, row_of_agent, workflow_id
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.parts import count_parts
from llm_orc.batches.tables import ENGINE_STEPS, ROWS, engine_connection
from llm_orc.batches.workers.queues import cancel_all, requeue
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dbos import DBOSClient, WorkflowStatus

SUSPECT_FROM = 2  # takeovers without a new answer: from then on, one such row is carried out at a time
MOST_TAKEOVERS = 5  # without a new answer: the row ends its workers

_AT_ONCE = 500


def recover_workflows(engine: sa.Engine, client: DBOSClient, left: Sequence[WorkflowStatus]) -> None:
    """Queue the workflows in `left` again. A row counts a takeover for each worker that held it or its agents.

    Agents of a suspect row are taken off their queue: the row queues them again when its turn has come.
    """
    by_row: defaultdict[str, list[WorkflowStatus]] = defaultdict(list)
    for status in left:
        by_row[row_of_agent(status.workflow_id)].append(status)
    takeovers = _count(engine, {row: len({one.executor_id for one in found}) for row, found in by_row.items()})
    again: list[WorkflowStatus] = []
    for row, found in by_row.items():
        # A row without a count has a deleted batch, or is in a later attempt.
        times = takeovers.get(row, MOST_TAKEOVERS + 1)
        if times > MOST_TAKEOVERS:
            client.cancel_workflows([row])
        if times >= SUSPECT_FROM:
            cancel_all(client, f"{row}:", AGENT_WORKFLOW)
        if times <= MOST_TAKEOVERS:
            again += [one for one in found if one.workflow_id == row or times < SUSPECT_FROM]
    requeue(engine, again)


def _count(engine: sa.Engine, workers: Mapping[str, int]) -> dict[str, int]:
    """Return the takeovers of each row since its last answer; park rows that have too many.

    `workers` says how many workers of a row died now: after the first one, another may have taken an agent of the
    row off its queue and died too, before the first one's rows were recovered.
    """
    parked: list[_Row] = []
    takeovers: dict[str, int] = {}
    with engine_connection(engine) as connection, connection.begin():
        steps, parts = dict(_steps(connection, sorted(workers))), count_parts(connection, workers)
        for row in _rows(connection, workers):
            answers = steps.get(row.workflow, 0) + parts.get(row.workflow, 0)
            times = row.takeovers
            if answers > row.steps_then:
                times = 1
            elif times < SUSPECT_FROM or row.is_alone or len(workers) == 1:
                # Otherwise another row may have ended the worker.
                times += workers[row.workflow]
            takeovers[row.workflow] = times
            this = sa.update(ROWS).where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number)
            connection.execute(this.values(takeovers=times, steps_then=answers, alone=0))
            if times > MOST_TAKEOVERS:
                parked.append(row)
    for row in parked:
        why = f"the process that carried it out ended {takeovers[row.workflow]} times without a new answer"
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
    """Yield the row of each workflow that is the row's latest attempt."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for workflow in workflows:
        if (name := parse_workflow_id(workflow)) is not None:
            numbers[name.batch_id].append(name.number)
    columns = (ROWS.c.number, ROWS.c.attempt, ROWS.c.takeovers, ROWS.c.steps_then, ROWS.c.alone)
    for batch_id, of_batch in sorted(numbers.items()):
        in_order = sorted(of_batch)
        for start in range(0, len(in_order), _AT_ONCE):
            these = (ROWS.c.batch_id == batch_id, ROWS.c.number.in_(in_order[start : start + _AT_ONCE]))
            # Locked, and in one order: a slow recovery may still be running when another worker starts the same.
            found = sa.select(*columns).where(*these).order_by(ROWS.c.number).with_for_update()
            for number, attempt, takeovers, steps_then, alone in connection.execute(found).all():
                row = workflow_id(batch_id, number, attempt)
                if row in workflows:
                    yield _Row(row, batch_id, number, takeovers, steps_then, bool(alone))


def _steps(connection: sa.Connection, workflows: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the number of stored answers of each workflow that has any."""
    of = ENGINE_STEPS.c.workflow_uuid
    for start in range(0, len(workflows), _AT_ONCE):
        some = workflows[start : start + _AT_ONCE]
        counted = sa.select(of, sa.func.count()).where(of.in_(some)).group_by(of)
        yield from map(tuple, connection.execute(counted).all())
