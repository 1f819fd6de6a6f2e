"""The engine's queues: open and close them, put rows on them, and put workflows back."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa
from dbos import DBOSClient

from llm_orc.batches.batch import ROW_WORKFLOW, queue_of, workflow_id
from llm_orc.batches.tables import ENGINE_WORKFLOWS, engine_connection
from llm_orc.batches.workers.engine.closed_engine import engine_serializer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbos import WorkflowStatus

    from llm_orc.batches.batch_store import BatchStore

APPLICATION = "llm-orc"
APPLICATION_VERSION = "1"
"""Change it only on purpose: the engine does not carry out work of another version."""

_POLL_S = 0.2
_AT_ONCE = 500
_ROWS_AT_ONCE = 32
_IN_PROGRESS = {"PENDING", "ENQUEUED", "DELAYED"}


def client_of(engine: sa.Engine) -> DBOSClient:
    """Return a client that queues and cancels workflows and carries none out. Use it through `in_store`."""
    return DBOSClient(
        system_database_engine=engine,
        serializer=engine_serializer(),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,  # it would wait without end, and block its thread
    )


def enqueue_row(client: DBOSClient, connection: sa.Connection, batch_id: str, number: int, attempt: int) -> None:
    """Queue a row in the transaction of `connection`."""
    client.enqueue_in_transaction(
        connection,
        {
            "workflow_name": ROW_WORKFLOW,
            "queue_name": queue_of(batch_id),
            "workflow_id": workflow_id(batch_id, number, attempt),
            "app_version": APPLICATION_VERSION,
        },
        batch_id,
        number,
        attempt,
    )


def open_queue(client: DBOSClient, batch_id: str, rows_at_once: int | None) -> None:
    """Let each worker take `rows_at_once` rows of the batch; None: as many as before, or the default."""
    client.register_queue(
        queue_of(batch_id),
        worker_concurrency=rows_at_once or _ROWS_AT_ONCE,
        polling_interval_sec=_POLL_S,
        on_conflict="always_update" if rows_at_once else "never_update",
    )


def close_queue(client: DBOSClient, batch_id: str) -> None:
    """Delete the queue, so that workers stop polling it several times a second."""
    client.delete_queue(queue_of(batch_id))


def requeue(engine: sa.Engine, seen: Iterable[WorkflowStatus], queue: str | None = None) -> None:
    """Put workflows back on their queues, or on `queue`, if their status and worker are still those in `seen`.

    The engine's own function does not check that. A worker that was held up after it listed the workflows would
    take a row from the worker that has started it meanwhile, and its agents would be called twice.
    """
    alike: defaultdict[tuple[str, str | None, str], list[str]] = defaultdict(list)
    for one in seen:
        goes_to = queue or one.queue_name or queue_of(one.workflow_id.partition(":")[0])
        alike[one.status, one.executor_id, goes_to].append(one.workflow_id)
    of = ENGINE_WORKFLOWS.c
    with engine_connection(engine) as connection:
        for (status, worker_id, goes_to), names in alike.items():
            still = sa.update(ENGINE_WORKFLOWS).where(
                of.status == status, of.executor_id.is_not_distinct_from(worker_id)
            )
            again = still.values(
                status="ENQUEUED",
                owner_xid=None,  # the earlier execution can store no answer any more
                queue_name=goes_to,
                deduplication_id=None,
                started_at_epoch_ms=None,
                workflow_deadline_epoch_ms=None,
                completed_at=None,
                updated_at=time.time_ns() // 1_000_000,
            )
            for start in range(0, len(names), _AT_ONCE):
                with connection.begin():
                    connection.execute(again.where(of.workflow_uuid.in_(names[start : start + _AT_ONCE])))


def delay(engine: sa.Engine, workflow: str, worker_id: str, until: float) -> None:
    """Put a workflow that this worker has back on its queue, from which nothing takes it before `until`.

    It is left alone if another worker has it by now.
    """
    of = ENGINE_WORKFLOWS.c
    this = (of.workflow_uuid == workflow, of.status == "PENDING", of.executor_id == worker_id)
    later = sa.update(ENGINE_WORKFLOWS).where(*this)
    with engine_connection(engine) as connection, connection.begin():
        connection.execute(
            later.values(
                status="DELAYED",
                delay_until_epoch_ms=int(until * 1000) + 1,
                owner_xid=None,  # this execution can store no answer any more
                deduplication_id=None,
                started_at_epoch_ms=None,
                workflow_deadline_epoch_ms=None,
                completed_at=None,
                updated_at=time.time_ns() // 1_000_000,
            )
        )


def requeue_missing(engine: sa.Engine, batches: BatchStore, client: DBOSClient, batch_id: str) -> None:
    """Queue each waiting row that is on no queue: it was cancelled, or a process died between two writes.

    A cancelled workflow continues and keeps its answers; in place of one that is over or gone, a new one starts.
    """
    waiting = batches.waiting(batch_id)
    for start in range(0, len(waiting), _AT_ONCE):
        some = {workflow_id(batch_id, *row): row for row in waiting[start : start + _AT_ONCE]}
        found = client.list_workflows(workflow_ids=list(some), load_input=False, load_output=False)
        requeue(engine, [status for status in found if status.status == "CANCELLED"])
        continued = {status.workflow_id for status in found if status.status in {*_IN_PROGRESS, "CANCELLED"}}
        for name, (number, attempt) in some.items():
            if name not in continued:
                batches.queue_next_attempt(batch_id, number, attempt, partial(enqueue_row, client))


def cancel_all(client: DBOSClient, prefix: str, name: str) -> None:
    """Cancel the workflows of the kind `name` that are queued or in progress, of a batch or of one row."""
    while found := client.list_workflows(
        workflow_id_prefix=prefix,
        name=name,
        status=["PENDING", "ENQUEUED", "DELAYED"],
        limit=_AT_ONCE,
        load_input=False,
        load_output=False,
    ):
        client.cancel_workflows([one.workflow_id for one in found])
