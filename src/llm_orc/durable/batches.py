"""Batches and their rows as the store has them. Knows nothing of how a row is carried out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa

from llm_orc.durable.limits import limited_providers
from llm_orc.durable.tables import BATCHES, ROWS
from llm_orc.engine.events import RecordedEvent
from llm_orc.errors import BatchNotFound, StorageError
from llm_orc.jsontypes import JsonValue
from llm_orc.runs.resume import Recipe, encode_recipe
from llm_orc.runs.state import RunResult, RunState, Spend
from llm_orc.runs.wire import decode_event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


RowState = Literal["waiting", "completed", "completed_with_errors", "failed", "cancelled"]
BatchState = Literal["open", "done", "cancelled"]
_CHUNK = 200  # rows that are written and queued in one transaction
_ENDED = ("completed", "completed_with_errors", "failed", "cancelled")
_RETRIED = ("completed_with_errors", "failed")

Enqueue = Callable[[sa.Connection, str, int, int], None]  # (connection, batch, row's number, attempt)


@dataclass(frozen=True, slots=True)
class NewRow:
    """One input. `error` says why it can't be used, and `task` is then empty."""

    number: int  # from 1
    line: int  # of the input file; 0: a file of its own
    task: str
    label: str = ""
    fields: dict[str, JsonValue] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What is about to be run. `recipe` has no task; each row has its own."""

    batch_id: str
    recipe: Recipe
    inputs: str
    created_at: float
    total: int
    max_cost_usd: float | None = None
    max_calls: int | None = None


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row as it stands. `record` is its events once it has ended."""

    batch_id: str
    number: int
    line: int
    label: str
    fields: dict[str, JsonValue]
    task: str
    state: RowState
    attempt: int
    ended_at: float | None
    error_code: str | None
    error: str | None
    takeovers: int = 0  # since its last answer
    record: tuple[RecordedEvent, ...] = ()

    @property
    def row_id(self) -> str:
        return f"{self.batch_id}:{self.number}"

    @property
    def run_state(self) -> RunState:
        state = RunState()
        for event in self.record:
            state.apply(event)
        return state

    @property
    def result(self) -> RunResult | None:
        """The row's result; None where it has not run."""
        return self.run_state.result() if self.record else None


@dataclass(frozen=True, slots=True)
class RowEnd:
    """How a row ended: enough for progress, without its answers."""

    number: int
    state: RowState
    ended_at: float
    spend: dict[str, Spend]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it stands. `calls` and `spent_usd` are what its limits are compared with."""

    batch_id: str
    ensemble: str
    inputs: str
    created_at: float
    is_cancelled: bool
    total: int
    max_cost_usd: float | None
    max_calls: int | None
    calls: int
    spent_usd: float
    counts: dict[RowState, int]
    unusable: int  # rows that failed because their input is none

    @property
    def state(self) -> BatchState:
        if self.is_cancelled:
            return "cancelled"
        return "open" if self.waiting else "done"

    @property
    def waiting(self) -> int:
        """Rows that have not ended; some of them may be under way, or not even queued yet."""
        return self.total - sum(self.counts.get(state, 0) for state in _ENDED_STATES)


_ENDED_STATES: tuple[RowState, ...] = ("completed", "completed_with_errors", "failed", "cancelled")


def batch_id_of(recipe: Recipe, rows: Sequence[NewRow], salt: str = "") -> str:
    """Return the id that these inputs have with this recipe: the same ones again are the same batch.

    The ensemble's own place, who agreed to pay, and limits shape no answer and are left out. `salt` makes another
    batch of the same inputs.
    """
    shaping = replace(
        recipe,
        ensemble=replace(recipe.ensemble, source=None, max_cost_usd=None, max_calls=None),
        task="",
        allow_metered=False,
        max_cost_usd=None,
        max_calls=None,
    )
    digest = hashlib.sha256(encode_recipe(shaping))
    digest.update(salt.encode())
    for row in rows:
        digest.update(msgspec.json.encode([row.task, row.error]))
    return f"b{digest.hexdigest()[:12]}"


def workflow_id(batch_id: str, number: int, attempt: int) -> str:
    return f"{batch_id}:{number}:{attempt}"


def queue_of(batch_id: str) -> str:
    return f"batch:{batch_id}"


class Batches:
    """All methods block; call them off the event loop where it matters."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # --- submitting ---------------------------------------------------------------------------------------

    def submit(self, new: NewBatch, rows: Sequence[NewRow], enqueue: Enqueue, now: float) -> None:
        """Keep the batch, and queue each row in the transaction that keeps it; go on where an earlier try stopped.

        Limits are those of this call. Rows that can't be used have ended at once.
        """
        with self._engine.begin() as connection:
            limits = {"max_cost_usd": new.max_cost_usd, "max_calls": new.max_calls}
            known = connection.execute(
                sa.update(BATCHES).where(BATCHES.c.batch_id == new.batch_id).values(**limits)
            ).rowcount
            if not known:
                connection.execute(
                    sa.insert(BATCHES).values(
                        batch_id=new.batch_id,
                        ensemble=new.recipe.ensemble.name,
                        inputs=new.inputs,
                        created_at=new.created_at,
                        state="open",
                        total=new.total,
                        recipe=encode_recipe(new.recipe),
                        **limits,
                    )
                )
        with self._engine.connect() as connection:
            there = connection.execute(
                sa.select(sa.func.count()).where(ROWS.c.batch_id == new.batch_id)
            ).scalar_one()
        for start in range(there, len(rows), _CHUNK):
            with self._engine.begin() as connection:
                self._add(connection, new.batch_id, rows[start : start + _CHUNK], enqueue, now)

    @staticmethod
    def _add(
        connection: sa.Connection, batch_id: str, rows: Sequence[NewRow], enqueue: Enqueue, now: float
    ) -> None:
        connection.execute(sa.insert(ROWS), [_values(batch_id, row, now) for row in rows])
        for row in rows:
            if row.error is None:
                enqueue(connection, batch_id, row.number, 1)

    def retry_failed(self, batch_id: str, enqueue: Enqueue) -> int:
        """Queue the rows again that ended with failures; returns how many. Answers that they have are kept."""
        with self._engine.begin() as connection:
            rows = connection.execute(
                sa.select(ROWS.c.number, ROWS.c.attempt).where(
                    ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_RETRIED), ROWS.c.task != ""
                )
            ).all()
            for number, attempt in rows:
                connection.execute(
                    sa.update(ROWS)
                    .where(ROWS.c.batch_id == batch_id, ROWS.c.number == number)
                    .values(state="waiting", attempt=attempt + 1, ended_at=None, takeovers=0, steps_then=0)
                )
                enqueue(connection, batch_id, number, attempt + 1)
        return len(rows)

    def cancel(self, batch_id: str, now: float) -> list[str]:
        """Mark the batch and its unfinished rows cancelled; returns the workflows that are to be stopped."""
        with self._engine.begin() as connection:
            stopped = _unfinished(connection, batch_id)
            connection.execute(sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(state="cancelled"))
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.state == "waiting")
                .values(state="cancelled", ended_at=now)
            )
        return stopped

    def reopen(self, batch_id: str) -> list[str]:
        """Undo `cancel`; returns the workflows that are to be queued again."""
        with self._engine.begin() as connection:
            cancelled = connection.execute(
                sa.select(ROWS.c.number, ROWS.c.attempt).where(
                    ROWS.c.batch_id == batch_id, ROWS.c.state == "cancelled"
                )
            ).all()
            connection.execute(sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(state="open"))
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.state == "cancelled")
                .values(state="waiting", ended_at=None)
            )
        return [workflow_id(batch_id, number, attempt) for number, attempt in cancelled]

    def delete(self, batch_id: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(ROWS).where(ROWS.c.batch_id == batch_id))
            connection.execute(sa.delete(BATCHES).where(BATCHES.c.batch_id == batch_id))

    # --- carrying out -------------------------------------------------------------------------------------

    def recipe(self, batch_id: str) -> Recipe:
        """Return the batch's recipe, without a task. Raises `StorageError` where it is damaged or newer."""
        with self._engine.connect() as connection:
            stored = connection.execute(
                sa.select(BATCHES.c.recipe).where(BATCHES.c.batch_id == batch_id)
            ).scalar_one_or_none()
        if stored is None:
            raise BatchNotFound(f"there is no batch `{batch_id}`", hint="llm-orc batch list")
        try:
            return msgspec.json.decode(stored, type=Recipe)
        except msgspec.MsgspecError as e:
            raise StorageError(f"the recipe of batch `{batch_id}` can't be read: {e}") from e

    def limited(self) -> frozenset[str]:
        """Return the providers that have limits over all workers."""
        return limited_providers(self._engine)

    def end_row(self, row: BatchRow, ended_at: float, record: Sequence[bytes]) -> RowState:
        """Keep how this attempt of a row ended, and return that. The same end again changes nothing."""
        events = tuple(_decode(record))
        folded = RunState()
        for event in events:
            folded.apply(event)
        result = folded.result()
        failed = result.error or next((agent.error for agent in result.agents if agent.error is not None), None)
        state: RowState = result.status
        if result.error is not None:  # a time limit
            state = "completed_with_errors" if folded.outputs else "failed"
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number, ROWS.c.attempt == row.attempt)
                .values(
                    state=state,
                    ended_at=ended_at,
                    record=msgspec.json.encode([item.decode() for item in record]),
                    spend=msgspec.json.encode({str(b): s for b, s in result.by_billing.items()}),
                    error_code=failed.code if failed else None,
                    error=failed.message if failed else None,
                )
            )
        return state

    def mark_alone(self, row: BatchRow) -> None:
        """Say that this row, and no other that is suspected, is carried out from now on."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS).where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number).values(alone=1)
            )

    def park(self, batch_id: str, number: int, why: str, now: float) -> None:
        """End a row that nobody can finish."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.number == number)
                .values(state="failed", ended_at=now, error_code="row_parked", error=why)
            )

    # --- looking ------------------------------------------------------------------------------------------

    def find(self, text: str) -> str:
        """Return the id that `text` names: an id, the beginning of one, or `last`. Raises `BatchNotFound`."""
        with self._engine.connect() as connection:
            newest_first = sa.select(BATCHES.c.batch_id).order_by(BATCHES.c.created_at.desc())
            ids: list[str] = list(connection.execute(newest_first).scalars())
            fitting = [found for found in ids if text == "last" or found.startswith(text)]
        if text == "last" or text in fitting:
            fitting = [text] if text in fitting else fitting[:1]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise BatchNotFound(f"there is no batch `{text}`", hint="llm-orc batch list")
        raise BatchNotFound(f"`{text}` fits {len(fitting)} batches: {', '.join(fitting[:5])}")

    def batch(self, batch_id: str) -> Batch | None:
        """Return the batch with exactly this id, or None."""
        return next(iter(self._batches(BATCHES.c.batch_id == batch_id)), None)

    def batches(self) -> list[Batch]:
        """Return all of them, the newest first."""
        return self._batches(sa.true())

    def open_batches(self) -> list[Batch]:
        """Return the batches that have rows to be carried out."""
        return [batch for batch in self._batches(BATCHES.c.state == "open") if batch.waiting]

    def _batches(self, condition: sa.ColumnElement[bool]) -> list[Batch]:
        counted = (
            sa.select(
                ROWS.c.batch_id,
                ROWS.c.state,
                sa.func.count(),
                sa.func.sum(sa.case((ROWS.c.error_code == "input", 1), else_=0)),
            )
            .join(BATCHES, BATCHES.c.batch_id == ROWS.c.batch_id)
            .where(condition)
            .group_by(ROWS.c.batch_id, ROWS.c.state)
        )
        with self._engine.connect() as connection:
            counts: dict[str, dict[RowState, int]] = {}
            unusable: dict[str, int] = {}
            for batch_id, state, count, bad in connection.execute(counted):
                counts.setdefault(batch_id, {})[state] = count
                unusable[batch_id] = unusable.get(batch_id, 0) + int(bad)
            found = connection.execute(
                sa.select(BATCHES).where(condition).order_by(BATCHES.c.created_at.desc())
            ).all()
        return [
            Batch(
                batch_id=row.batch_id,
                ensemble=row.ensemble,
                inputs=row.inputs,
                created_at=row.created_at,
                is_cancelled=row.state == "cancelled",
                total=row.total,
                max_cost_usd=row.max_cost_usd,
                max_calls=row.max_calls,
                calls=row.calls,
                spent_usd=row.spent_usd,
                counts=counts.get(row.batch_id, {}),
                unusable=unusable.get(row.batch_id, 0),
            )
            for row in found
        ]

    def ends(self, batch_id: str, but: Collection[int] = ()) -> list[RowEnd]:
        """Return how the ended rows ended, those in `but` left out, in the order of their numbers."""
        new = sorted(self.ended_numbers(batch_id).difference(but))
        columns = sa.select(ROWS.c.number, ROWS.c.state, ROWS.c.ended_at, ROWS.c.spend).order_by(ROWS.c.number)
        found: list[RowEnd] = []
        with self._engine.connect() as connection:
            for start in range(0, len(new), _CHUNK):
                some = new[start : start + _CHUNK]
                rows = connection.execute(columns.where(ROWS.c.batch_id == batch_id, ROWS.c.number.in_(some)))
                for number, state, ended_at, spend in rows:
                    by_billing = msgspec.json.decode(spend or b"{}", type=dict[str, Spend])
                    found.append(RowEnd(number, state, ended_at, by_billing))
        return found

    def ended_numbers(self, batch_id: str) -> set[int]:
        with self._engine.connect() as connection:
            numbers = connection.execute(
                sa.select(ROWS.c.number).where(ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_ENDED))
            ).scalars()
            return set(numbers)

    def row(self, batch_id: str, number: int) -> BatchRow:
        """Raises `BatchNotFound`."""
        for row in self.rows(batch_id, [number]):
            return row
        raise BatchNotFound(
            f"batch `{batch_id}` has no row {number}", hint=f"llm-orc batch results {batch_id} --ordered"
        )

    def rows(self, batch_id: str, numbers: Sequence[int]) -> Iterator[BatchRow]:
        """Yield these rows in the order of their numbers, some at a time."""
        wanted = sorted(numbers)
        for start in range(0, len(wanted), _CHUNK):
            with self._engine.connect() as connection:
                found = connection.execute(
                    sa.select(ROWS)
                    .where(ROWS.c.batch_id == batch_id, ROWS.c.number.in_(wanted[start : start + _CHUNK]))
                    .order_by(ROWS.c.number)
                ).all()
            yield from map(_row, found)


def _unfinished(connection: sa.Connection, batch_id: str) -> list[str]:
    rows = connection.execute(
        sa.select(ROWS.c.number, ROWS.c.attempt).where(ROWS.c.batch_id == batch_id, ROWS.c.state == "waiting")
    ).all()
    return [workflow_id(batch_id, number, attempt) for number, attempt in rows]


def _values(batch_id: str, row: NewRow, now: float) -> dict[str, object]:
    is_bad = row.error is not None
    return {
        "batch_id": batch_id,
        "number": row.number,
        "line": row.line,
        "label": row.label,
        "task": row.task,
        "fields": msgspec.json.encode(row.fields or {}),
        "state": "failed" if is_bad else "waiting",
        "ended_at": now if is_bad else None,
        "error_code": "input" if is_bad else None,
        "error": row.error,
    }


def _row(row: sa.Row[tuple[object, ...]]) -> BatchRow:
    stored = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to read by name
    return BatchRow(
        batch_id=stored["batch_id"],
        number=stored["number"],
        line=stored["line"],
        label=stored["label"],
        fields=msgspec.json.decode(stored["fields"]),
        task=stored["task"],
        state=stored["state"],
        attempt=stored["attempt"],
        ended_at=stored["ended_at"],
        error_code=stored["error_code"],
        error=stored["error"],
        takeovers=stored["takeovers"],
        record=tuple(_decode(msgspec.json.decode(stored["record"], type=list[str]))) if stored["record"] else (),
    )


def _decode(record: Sequence[bytes] | Sequence[str]) -> Iterator[RecordedEvent]:
    for item in record:
        kind, body = msgspec.json.decode(item, type=tuple[str, msgspec.Raw])
        yield decode_event(kind, bytes(body))
