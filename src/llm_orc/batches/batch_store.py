"""The store's batches and rows: kept, changed and looked up. Knows nothing of how a row is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from llm_orc.batches.batch import Batch, BatchLimits, BatchRow, NewBatch, NewRow, RowEnd, RowInput, RowState
from llm_orc.batches.kept_rows import decode_record, read_fields, read_row, read_spend, row_values
from llm_orc.batches.tables import BATCHES, HOLDS, ROWS, damage_of
from llm_orc.errors import BatchNotFound, StorageError
from llm_orc.runs.recipe import Recipe, decode_recipe, encode_recipe
from llm_orc.runs.spend import NOTHING_SPENT
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


_CHUNK = 200  # rows that are written and queued in one transaction
_ENDED = ("completed", "completed_with_errors", "failed", "cancelled")
_RETRIED = ("completed_with_errors", "failed")
_AFRESH: dict[str, int] = {"takeovers": 0, "steps_then": 0, "calls": 0, "spent_usd": 0}
Enqueue = Callable[[sa.Connection, str, int, int], None]  # (connection, batch, row's number, attempt)


class BatchStore:
    """All methods block; call them off the event loop where it matters."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # --- submitting ---------------------------------------------------------------------------------------

    def submit(self, new: NewBatch, rows: Sequence[NewRow], enqueue: Enqueue, now: float) -> bool:
        """Keep the batch, and queue each row in the transaction that keeps it; go on where an earlier try stopped.

        Limits are those of this call. Rows that can't be used have ended at once. Returns whether it is new.
        """
        with self._engine.begin() as connection:
            _lock(connection, new.batch_id)
            limits: dict[str, float | None] = asdict(new.limits)
            is_new = not self._change(
                connection, new.batch_id, new.recipe, new.limits, new.most_usd, inputs=new.inputs
            )
            if is_new:
                connection.execute(
                    sa.insert(BATCHES).values(
                        batch_id=new.batch_id,
                        ensemble=new.recipe.ensemble.name,
                        inputs=new.inputs,
                        created_at=new.created_at,
                        state="open",
                        total=new.total,
                        is_rehearsal=int(new.recipe.rehearsal),
                        recipe=encode_recipe(new.recipe),
                        **limits,
                    )
                )
        while True:
            with self._engine.begin() as connection:
                _lock(connection, new.batch_id)
                counted = sa.select(sa.func.count()).where(ROWS.c.batch_id == new.batch_id)
                there = connection.execute(counted).scalar_one()
                if there >= len(rows):
                    return is_new
                self._add(connection, new.batch_id, rows[there : there + _CHUNK], enqueue, now)

    def change(self, batch_id: str, recipe: Recipe, limits: BatchLimits, most_usd: float = 0.0) -> None:
        """Go on with another recipe, which shapes the same answers, and other limits.

        Where the cost gets a limit that had none, calls of unknown cost count `most_usd` each.
        """
        with self._engine.begin() as connection:
            self._change(connection, batch_id, recipe, limits, most_usd)

    def _change(
        self,
        connection: sa.Connection,
        batch_id: str,
        recipe: Recipe,
        limits: BatchLimits,
        most_usd: float,
        **others: str,
    ) -> bool:
        """Returns False where there is no such batch yet."""
        this = BATCHES.c.batch_id == batch_id
        before = connection.execute(sa.select(BATCHES.c.max_cost_usd).where(this)).one_or_none()
        if before is None:
            return False
        values: dict[str, object] = {**asdict(limits), "recipe": encode_recipe(recipe), **others}
        if before.max_cost_usd is None and limits.max_cost_usd is not None:  # until now nobody has counted
            spent = _spent_usd(connection, batch_id, most_usd)
            values["spent_usd"] = sa.case((BATCHES.c.spent_usd < spent, spent), else_=BATCHES.c.spent_usd)
        connection.execute(sa.update(BATCHES).where(this).values(**values))
        return True

    @staticmethod
    def _add(
        connection: sa.Connection, batch_id: str, rows: Sequence[NewRow], enqueue: Enqueue, now: float
    ) -> None:
        connection.execute(sa.insert(ROWS), [row_values(batch_id, row, now) for row in rows])
        for row in rows:
            if row.error is None:
                enqueue(connection, batch_id, row.number, 1)

    def retry_failed(self, batch_id: str, enqueue: Enqueue) -> int:
        """Queue the rows again that ended with failures; returns how many. Answers that they have are kept."""
        begun = 0
        with self._engine.begin() as connection:
            _lock(connection, batch_id)
            this = (ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_RETRIED), ROWS.c.task != "")
            for number, attempt in connection.execute(sa.select(ROWS.c.number, ROWS.c.attempt).where(*this)).all():
                row = sa.update(ROWS).where(*this, ROWS.c.number == number, ROWS.c.attempt == attempt)
                again = row.values(state="waiting", attempt=attempt + 1, ended_at=None, **_AFRESH)
                if connection.execute(again).rowcount:
                    enqueue(connection, batch_id, number, attempt + 1)
                    begun += 1
        return begun

    def begin_anew(self, batch_id: str, number: int, attempt: int, enqueue: Enqueue) -> None:
        """Queue a row under its next attempt, if it still waits with this one."""
        row = (ROWS.c.batch_id == batch_id, ROWS.c.number == number)
        with self._engine.begin() as connection:
            still = sa.update(ROWS).where(*row, ROWS.c.attempt == attempt, ROWS.c.state == "waiting")
            if connection.execute(still.values(attempt=attempt + 1, takeovers=0, steps_then=0)).rowcount:
                enqueue(connection, batch_id, number, attempt + 1)

    def cancel(self, batch_id: str, now: float) -> int:
        """Mark the batch and its unfinished rows cancelled, unless it is over; returns how many these are."""
        batch = self.batch(batch_id)
        if batch is None or batch.state == "done":
            return 0
        with self._engine.begin() as connection:
            connection.execute(sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(state="cancelled"))
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.state == "waiting")
                .values(state="cancelled", ended_at=now)
            )
        return batch.waiting

    def mark_spent(self, batch_id: str) -> None:
        """Let nobody work on the batch until it is submitted with a higher limit."""
        with self._engine.begin() as connection:
            this = sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id, BATCHES.c.state == "open")
            connection.execute(this.values(state="spent"))

    def reopen(self, batch_id: str) -> None:
        """Undo `cancel` and `mark_spent`; rows that were cancelled wait again."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(state="open"))
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.state == "cancelled")
                .values(state="waiting", ended_at=None)
            )

    def delete(self, batch_id: str) -> None:
        with self._engine.begin() as connection:
            for table in (ROWS, HOLDS):
                connection.execute(sa.delete(table).where(table.c.batch_id == batch_id))
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
            return decode_recipe(stored)
        except msgspec.MsgspecError as e:
            raise StorageError(f"the recipe of batch `{batch_id}` can't be read: {e}") from e

    def end_row(self, row: BatchRow, ended_at: float, record: Sequence[bytes]) -> RowState:
        """Keep how this attempt of a row ended, and return that. A row that has ended stays as it is."""
        events = decode_record(record)
        folded = RunState()
        for event in events:
            folded.apply(event)
        result = folded.result()
        failed = result.error or next((agent.error for agent in result.agents if agent.error is not None), None)
        state: RowState = result.status
        if result.error is not None:  # a time limit
            state = "completed_with_errors" if folded.outputs else "failed"
        unended = (ROWS.c.attempt == row.attempt, ROWS.c.state.in_(("waiting", "cancelled")))
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number, *unended)
                .values(
                    state=state,
                    ended_at=ended_at,
                    record=msgspec.json.encode([item.decode() for item in record]),
                    spend=msgspec.json.encode({str(b): s for b, s in result.by_billing.items()}),
                    error_code=failed.code if failed else None,
                    error=failed.message.replace("\0", "\ufffd") if failed else None,
                )
            )
        return state

    def mark_alone(self, row: BatchRow) -> None:
        """Say that this row, and no other that is suspected, is carried out from now on."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS).where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number).values(alone=1)
            )

    def park(self, batch_id: str, number: int, why: str, now: float, *, attempt: int | None = None) -> bool:
        """End a row that nobody can finish, unless it has ended or goes on in a later attempt; returns whether."""
        waiting = [ROWS.c.batch_id == batch_id, ROWS.c.number == number, ROWS.c.state == "waiting"]
        if attempt is not None:
            waiting.append(ROWS.c.attempt == attempt)
        why = why.replace("\0", "\ufffd")
        with self._engine.begin() as connection:
            parked = connection.execute(
                sa.update(ROWS)
                .where(*waiting)
                .values(state="failed", ended_at=now, error_code="row_parked", error=why)
            )
            return parked.rowcount > 0

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
        """Return the batches that have rows to be carried out; what a killed submitter did not queue is none."""
        return [batch for batch in self._batches(BATCHES.c.state == "open") if batch.counts.get("waiting")]

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
        damage = next((words for row in found if (words := damage_of(BATCHES, row))), None)
        if damage is not None:
            raise StorageError(f"the store of batches is damaged: {damage}", hint="Name another with `--store`.")
        return [
            Batch(
                batch_id=row.batch_id,
                ensemble=row.ensemble,
                inputs=row.inputs,
                created_at=row.created_at,
                mark=row.state,
                total=row.total,
                is_rehearsal=bool(row.is_rehearsal),
                limits=BatchLimits(row.max_cost_usd, row.max_calls, row.row_max_cost_usd, row.row_max_calls),
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
                found += [RowEnd(number, state, at, read_spend(spend)) for number, state, at, spend in rows]
        return found

    def ended_numbers(self, batch_id: str) -> set[int]:
        with self._engine.connect() as connection:
            numbers = connection.execute(
                sa.select(ROWS.c.number).where(ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_ENDED))
            ).scalars()
            return {number for number in numbers if isinstance(number, int)}  # a file may hold anything

    def waiting(self, batch_id: str) -> list[tuple[int, int]]:
        """Return number and attempt of each row that has not ended."""
        columns = sa.select(ROWS.c.number, ROWS.c.attempt).order_by(ROWS.c.number)
        with self._engine.connect() as connection:
            found = connection.execute(columns.where(ROWS.c.batch_id == batch_id, ROWS.c.state == "waiting"))
            return [(number, attempt) for number, attempt in found]

    def longest_task(self, batch_id: str) -> str:
        column = sa.select(ROWS.c.task).where(ROWS.c.batch_id == batch_id)
        with self._engine.connect() as connection:
            found: str | None = connection.execute(column.order_by(sa.func.length(ROWS.c.task).desc())).scalar()
        return found or ""

    def inputs(self, batch_id: str) -> Iterator[RowInput]:
        """Yield what each row was given, in order; many rows are never in memory at once."""
        columns = sa.select(ROWS.c.task, ROWS.c.label, ROWS.c.fields).order_by(ROWS.c.number)
        with self._engine.connect() as connection:
            found = connection.execution_options(yield_per=_CHUNK).execute(
                columns.where(ROWS.c.batch_id == batch_id)
            )
            for task, label, fields in found:
                yield RowInput(task, label, read_fields(fields))

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
            yield from map(read_row, found)


def _lock(connection: sa.Connection, batch_id: str) -> None:
    """Let no other process submit the same batch until this transaction is over. A file has but one process."""
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtextextended(batch_id, 7308063)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _spent_usd(connection: sa.Connection, batch_id: str, most_usd: float) -> float:
    spends = connection.execute(sa.select(ROWS.c.spend).where(ROWS.c.batch_id == batch_id)).scalars()
    total = NOTHING_SPENT
    for spend in spends:
        for part in read_spend(spend).values():
            total = total.plus(part)
    return total.known_cost_usd + total.unknown_costs * most_usd
