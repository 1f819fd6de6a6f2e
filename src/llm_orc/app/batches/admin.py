"""Show, cancel and delete batches: everything that needs no worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.uses.graph import output_schema
from llm_orc.app.batches.prompts import longest_additions
from llm_orc.app.batches.store import batch_store_url
from llm_orc.batches.batch import AGENT_WORKFLOW, ROW_WORKFLOW, Batch, BatchRow, Failures, queue_of
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import StoreFailure, close_engine, open_engine, store_error
from llm_orc.batches.files.contents import load_content
from llm_orc.batches.questions import RowQuestion, answer_question, find_question, open_questions
from llm_orc.batches.workers.membership import WorkerStatus, is_in_use, workers_of
from llm_orc.batches.workers.queues import cancel_all, client_of, close_queue, enqueue_row
from llm_orc.dataclass import dataclass
from llm_orc.engine.plan import make_plan
from llm_orc.errors import BatchNotFound
from llm_orc.formats.batch import Columns
from llm_orc.runs.recipe import Recipe
from llm_orc.runs.spend import Spend, added
from llm_orc.schemas.shape import field_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from dbos import DBOSClient
    from sqlalchemy import Engine

    from llm_orc.app.wiring import App
    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.engine.events import ApprovalAnswered
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import FileRef

_MANY = 500


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch and its progress. `in_flight` counts the rows in progress in all processes."""

    batch: Batch
    in_flight: int
    spend: Mapping[str, Spend]
    failures: tuple[Failures, ...] = ()  # the most frequent reason first
    questions: tuple[RowQuestion, ...] = ()  # what people are asked, in the order of the rows


class BatchAdmin:
    """An open store, without a worker. It stops workers through the store."""

    def __init__(self, engine: Engine, store_url: StoreUrl) -> None:
        self._engine, self._store_url = engine, store_url
        self.batches = BatchStore(engine)

    def status(self, batch_id: str) -> BatchStatus:
        batch = self.batches.batch(batch_id)
        if batch is None:
            raise BatchNotFound(f"there is no batch `{batch_id}`", hint="llm-orc batch list")
        spend = self.batches.open_spend(batch_id)
        for end in self.batches.ends(batch_id):
            spend = added(spend, end.spend)
        with self._client() as client:
            held = client.list_workflows(
                status="PENDING", queue_name=queue_of(batch_id), load_input=False, load_output=False
            )
        return BatchStatus(
            batch,
            len(held) if is_in_use(self._store_url) else 0,
            spend,
            (*self.batches.failures(batch_id),),
            self.open_questions(batch_id) if batch.state == "open" else (),
        )

    def contents(self, batch_id: str, files: Iterable[FileRef]) -> dict[str, bytes]:
        """Return the contents of these files, as far as the batch has them, by SHA-256."""
        found = {one.sha256: load_content(self._engine, batch_id, one.sha256) for one in files}
        return {sha256: data for sha256, data in found.items() if data is not None}

    def open_questions(self, batch_id: str, rows: Collection[int] = ()) -> tuple[RowQuestion, ...]:
        """Return what nobody has answered in these rows, or in all, in the order of the input."""
        return tuple(open_questions(self._engine, batch_id, rows))

    def question(self, batch_id: str, number: int, agent: str) -> RowQuestion | None:
        """Return what an agent of a row that has not ended asks, with the answer, if there is one."""
        return find_question(self._engine, batch_id, number, agent)

    @contextmanager
    def answering(self) -> Iterator[Callable[[str, int, ApprovalAnswered], bool]]:
        """Yield what stores an answer to what an agent of a row asks, and queues the row.

        It returns False if somebody was first, or if the agent asks nothing any more.
        """
        with self._client() as client:
            enqueue = partial(enqueue_row, client)
            yield lambda batch_id, number, event: answer_question(self._engine, batch_id, number, event, enqueue)

    def columns(self, batch_id: str) -> Columns:
        """Return the columns of the batch's table: those of the input, and the agents in the order of the plan."""
        own: dict[str, set[str]] = {}  # by column: our own columns with the same value in each row so far
        for row in self.batches.inputs(batch_id):
            ours = {"id": row.label, "input": row.task}
            for name, value in row.fields.items():
                same = {our for our, text in ours.items() if text == value}
                own[name] = own.get(name, same) & same
        extra = tuple(name for name, same in own.items() if not same)
        ensemble = self.batches.recipe(batch_id).ensemble
        plan = make_plan(ensemble)
        return Columns(extra, plan.names, field_names(output_schema(ensemble)), plan.answer)

    def rows(self, batch_id: str) -> Iterator[BatchRow]:
        """Yield the rows that have ended, in the order in which they ended."""
        ends = sorted(self.batches.ends(batch_id), key=lambda end: (end.ended_at, end.number))
        for start in range(0, len(ends), _MANY):
            some = [end.number for end in ends[start : start + _MANY]]
            found = {row.number: row for row in self.batches.rows(batch_id, some)}
            yield from (found[number] for number in some if number in found)

    def rows_in_order(self, batch_id: str) -> Iterator[BatchRow]:
        yield from self.batches.rows(batch_id, sorted(self.batches.ended_numbers(batch_id)))

    def cancel(self, batch_id: str, now: float) -> int:
        """Stop the batch in all processes; return how many rows had not ended. A batch that is done stays done.

        Everything on its queues is cancelled, even if its rows are marked already: an earlier cancellation may
        have been killed.
        """
        stopped = self.batches.cancel(batch_id, now)
        with self._client() as client:
            for name in (ROW_WORKFLOW, AGENT_WORKFLOW):  # rows first: a cancelled agent checks whether its row is
                cancel_all(client, f"{batch_id}:", name)
            close_queue(client, batch_id)
        return stopped

    def delete(self, batch_id: str) -> None:
        """Delete the batch with its answers, and the engine's data about it."""
        with self._client() as client:
            while ids := [
                status.workflow_id
                for status in client.list_workflows(
                    workflow_id_prefix=f"{batch_id}:", limit=_MANY, load_input=False, load_output=False
                )
            ]:
                client.delete_workflows(ids)
            close_queue(client, batch_id)
        self.batches.delete(batch_id)

    def ended_before(self, at: float) -> list[str]:
        """Return the batches that are done and were started before `at` (Unix seconds)."""
        return [b.batch_id for b in self.batches.batches() if b.created_at < at and b.state == "done"]

    def workers(self, now: float) -> list[WorkerStatus]:
        if not is_in_use(self._store_url):  # a worker that is still in the table was killed
            return []
        with self._client() as client:
            return workers_of(self._engine, client, now)

    @contextmanager
    def _client(self) -> Iterator[DBOSClient]:
        client = client_of(self._engine)
        try:
            yield client
        finally:
            client.destroy()


@contextmanager
def open_batches(app: App, store: str | None) -> Iterator[BatchAdmin | None]:
    """Open the store; yield None if it is a file that doesn't exist. Raises `InputError`, `StorageError`."""
    store_url = batch_store_url(app, store)
    if store_url.path is not None and not store_url.path.exists():
        yield None
        return
    engine = open_engine(store_url)
    try:
        yield BatchAdmin(engine, store_url)
    except StoreFailure as e:
        raise store_error(store_url, e) from None
    finally:
        close_engine(engine)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch of the store, with what is needed to resume it."""

    batch: Batch
    recipe: Recipe
    longest_task: str
    added: Mapping[str, int]  # characters that a row adds to each agent's system prompt at most

    @property
    def to_do(self) -> int:
        """The number of rows that have not ended, or were cancelled."""
        return self.batch.waiting + self.batch.counts.get("cancelled", 0)

    @property
    def failed(self) -> int:
        """The number of failed rows that can be retried."""
        counts = self.batch.counts
        return counts.get("failed", 0) + counts.get("completed_with_errors", 0) - self.batch.unusable


def failures_of(app: App, store: str | None, batch_id: str) -> Sequence[Failures]:
    """Return why rows of a batch have failed, the most frequent reason first."""
    with open_batches(app, store) as found:
        return found.batches.failures(batch_id) if found else ()


def stored_batch(app: App, store: str | None, batch_id: str) -> StoredBatch | None:
    """Return the batch with this id, or None. Raises `InputError`, `StorageError`."""
    with open_batches(app, store) as found:
        batch = found.batches.batch(batch_id) if found else None
        if found is None or batch is None:
            return None
        recipe = found.batches.recipe(batch_id)
        added = longest_additions(recipe, (row.fields for row in found.batches.inputs(batch_id)))
        return StoredBatch(batch, recipe, found.batches.longest_task(batch_id), added)


def find_batch(app: App, name: str, store: str | None) -> StoredBatch:
    """Return a batch. `name` is an id, the start of one, or `last`. Raises `BatchNotFound`."""
    with open_batches(app, store) as found:
        if found is None:
            raise no_batch_yet()
        batch_id = found.batches.find(name)
    kept = stored_batch(app, store, batch_id)
    if kept is None:
        raise no_batch_yet()
    return kept


def no_batch_yet() -> BatchNotFound:
    return BatchNotFound("there are no batches yet", hint="llm-orc batch ENSEMBLE --inputs FILE")


def about_row(row: BatchRow) -> dict[str, JsonValue]:
    """Return a row without its answers, as JSON."""
    return {
        "batch": row.batch_id,
        "row": row.number,
        "line": row.line or None,
        "id": row.label or None,
        "status": "waiting" if row.state == "asking" else row.state,
        "input": row.task,
        "fields": row.fields,
    }


def error_of(row: BatchRow) -> JsonValue:
    return None if row.error_code is None else {"code": row.error_code, "message": row.error}


def prune_batches(app: App, store: str | None, before: float) -> int:
    """Delete batches that are done and were started before that time (Unix seconds); return how many."""
    with open_batches(app, store) as found:
        old: Sequence[str] = found.ended_before(before) if found else ()
        for batch_id in old:
            assert found is not None
            found.delete(batch_id)
    return len(old)
