"""Which row ended its worker: counted over takeovers, so that one bad row is parked and no good row is."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.batches.batch import AGENT_WORKFLOW, NewBatch, NewRow, workflow_id
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.store_url import parse_store_url
from llm_orc.batches.tables import ENGINE_WORKFLOWS, PARTS, engine_connection
from llm_orc.batches.workers.limits import limit_queue
from llm_orc.batches.workers.queues import APPLICATION_VERSION, enqueue_row
from llm_orc.batches.workers.recovery import MOST_TAKEOVERS, SUSPECT_FROM, recover_workflows
from llm_orc.batches.workers.worker_store import WorkerStore
from tests.batches.intruder import RECIPE, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbos import EnqueueOptions, WorkflowStatus

ROWS = (1, 2, 3)
_names = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerStore]:
    """A store with the tables of the durable engine, which has been launched on it once."""
    folder = tmp_path_factory.mktemp("takeovers")
    store_url = parse_store_url(str(folder / "batches.sqlite"), folder)
    asyncio.run(prepared(store_url))
    with WorkerStore(store_url) as store:
        yield store


class Deaths:
    """A batch whose workers die again and again."""

    def __init__(self, store: WorkerStore) -> None:
        self._store, self.batch_id = store, f"t{next(_names)}"
        self._batches = BatchStore(store.engine)
        self._steps = itertools.count(1)
        new = [NewRow(number, number, f"row {number}") for number in ROWS]
        batch = NewBatch(self.batch_id, RECIPE, "", 0.0, len(new))
        self._batches.submit(batch, new, lambda *row: enqueue_row(store.client, *row), 0.0)

    def waiting(self) -> list[int]:
        return [number for number, _ in self._batches.waiting(self.batch_id)]

    def die(
        self, rows: Sequence[int], worker_id: str, answered: Sequence[int] = (), alone: int | None = None
    ) -> None:
        """Let a worker that carries out `rows` store answers of some, then die; the next worker recovers its rows."""
        names = [workflow_id(self.batch_id, number, 1) for number in rows]
        if alone is not None:
            self._batches.mark_alone(self._batches.row(self.batch_id, alone))
        with engine_connection(self._store.engine) as connection, connection.begin():
            started = sa.update(ENGINE_WORKFLOWS).where(ENGINE_WORKFLOWS.c.workflow_uuid.in_(names))
            connection.execute(started.values(status="PENDING", executor_id=worker_id))
            for number in answered:
                self._store_answer(connection, number, next(self._steps))
        recover_workflows(self._store.engine, self._store.client, self._listed("PENDING"))

    def _store_answer(self, connection: sa.Connection, number: int, count: int) -> None:
        """Store it as the engine's step, or as that of an agent within another."""
        if count % 2:
            step = "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name) VALUES (:n, :i, 'a')"
            name = workflow_id(self.batch_id, number, 1)
            connection.execute(sa.text(step), {"n": name, "i": count})
        else:
            part = {"number": number, "attempt": 1, "path": f"panel/a{count}", "outcome": "{}"}
            connection.execute(sa.insert(PARTS).values(batch_id=self.batch_id, **part))

    def queue_agent(self, number: int) -> str:
        """Queue an agent of a row, as a provider with limits has it; return the id of its workflow."""
        row = workflow_id(self.batch_id, number, 1)
        options: EnqueueOptions = {
            "workflow_name": AGENT_WORKFLOW,
            "queue_name": limit_queue("p"),
            "workflow_id": f"{row}:a",
            "app_version": APPLICATION_VERSION,
        }
        self._store.client.enqueue(options, row, "a", "prompt")
        return f"{row}:a"

    def hold(self, workflow: str, worker_id: str) -> None:
        """Let a worker carry the workflow out, until the next death."""
        with engine_connection(self._store.engine) as connection, connection.begin():
            this = sa.update(ENGINE_WORKFLOWS).where(ENGINE_WORKFLOWS.c.workflow_uuid == workflow)
            connection.execute(this.values(status="PENDING", executor_id=worker_id))

    def delete(self) -> None:
        self._batches.delete(self.batch_id)

    def cancelled(self) -> set[str]:
        return {one.workflow_id for one in self._listed("CANCELLED")}

    def _listed(self, status: str) -> list[WorkflowStatus]:
        return self._store.client.list_workflows(workflow_id_prefix=f"{self.batch_id}:", status=status)

    def queued(self) -> set[str]:
        return {one.workflow_id for one in self._listed("ENQUEUED")}


def test_a_row_that_ends_its_worker_alone_is_parked_and_no_other_row_is(store: WorkerStore) -> None:
    """The first deaths blame all rows of the worker; from then on one suspect at a time is carried out."""
    deaths = Deaths(store)
    for n in range(SUSPECT_FROM):
        deaths.die(ROWS, f"w{n}")
    assert deaths.waiting() == [1, 2, 3]

    times = 0
    while 2 in deaths.waiting():
        deaths.die(deaths.waiting(), f"alone {times}", alone=2)
        times += 1

    assert times == MOST_TAKEOVERS + 1 - SUSPECT_FROM
    assert deaths.waiting() == [1, 3]
    assert deaths.queued() == {workflow_id(deaths.batch_id, number, 1) for number in (1, 3)}
    assert deaths.cancelled() == {workflow_id(deaths.batch_id, 2, 1)}
    parked = store.batches.row(deaths.batch_id, 2)
    assert parked.error_code == "row_parked"
    assert f"ended {MOST_TAKEOVERS + 1} times without a new answer" in str(parked.error)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sets(st.sampled_from(ROWS), min_size=1), min_size=1, max_size=12))
def test_a_row_with_a_new_answer_before_each_death_is_never_parked(
    store: WorkerStore, lives: list[set[int]]
) -> None:
    deaths = Deaths(store)
    for n, rows in enumerate(lives):
        deaths.die(sorted(rows), f"w{n}", answered=sorted(rows))

    assert deaths.waiting() == list(ROWS)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sets(st.sampled_from(ROWS), min_size=2), min_size=1, max_size=12))
def test_a_row_that_never_dies_alone_is_never_parked(store: WorkerStore, lives: list[set[int]]) -> None:
    """Any of the others may be to blame."""
    deaths = Deaths(store)
    for n, rows in enumerate(lives):
        deaths.die(sorted(rows), f"w{n}")

    assert deaths.waiting() == list(ROWS)
    assert {store.batches.row(deaths.batch_id, number).takeovers for number in ROWS} <= set(
        range(SUSPECT_FROM + 1)
    )


@settings(max_examples=12, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_a_row_is_parked_exactly_after_too_many_deaths_in_a_row_without_an_answer(
    store: WorkerStore, answers: list[bool]
) -> None:
    deaths, in_a_row = Deaths(store), 0
    for n, is_answered in enumerate(answers):
        deaths.die([1], f"w{n}", answered=[1] if is_answered else [])
        in_a_row = 1 if is_answered else in_a_row + 1
        assert store.batches.row(deaths.batch_id, 1).takeovers == in_a_row
        assert (1 not in deaths.waiting()) == (in_a_row > MOST_TAKEOVERS)
        assert (workflow_id(deaths.batch_id, 1, 1) in deaths.queued()) == (in_a_row <= MOST_TAKEOVERS)
        if in_a_row > MOST_TAKEOVERS:
            break


def test_agents_of_a_row_are_queued_again_until_the_row_is_a_suspect(store: WorkerStore) -> None:
    """A suspect row queues its agents itself, when its turn has come."""
    deaths = Deaths(store)
    row, agent = workflow_id(deaths.batch_id, 1, 1), deaths.queue_agent(1)
    deaths.hold(agent, "w1")
    deaths.die([1], "w1")  # one worker held both
    assert store.batches.row(deaths.batch_id, 1).takeovers == 1
    assert {row, agent} <= deaths.queued()

    deaths.hold(agent, "w3")
    deaths.die([1], "w2")  # two workers died of it
    assert store.batches.row(deaths.batch_id, 1).takeovers == 3
    assert row in deaths.queued()
    assert deaths.cancelled() == {agent}


def test_what_is_left_of_a_deleted_batch_is_cancelled(store: WorkerStore) -> None:
    deaths = Deaths(store)
    deaths.delete()

    deaths.die([1], "w1")

    assert deaths.cancelled() == {workflow_id(deaths.batch_id, 1, 1)}
