"""Look up batches and their rows in the store. Changes nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from llm_orc.batches.batch import Batch, BatchLimits, BatchRow, Failures, RowEnd, RowInput, RowState
from llm_orc.batches.kept_rows import read_fields, read_row, read_spend
from llm_orc.batches.plan_waits import waiting_rows
from llm_orc.batches.questions import batches_overdue
from llm_orc.batches.tables import BATCHES, ROWS, damage_of
from llm_orc.errors import BatchNotFound, StorageError
from llm_orc.runs.recipe import Recipe, decode_recipe
from llm_orc.runs.spend import Spend, added

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


_SHOWN_NUMBERS = 5  # of failed rows, for each reason
_FAILED = ("completed_with_errors", "failed")
_CHUNK = 200  # rows that are read at once
_ENDED = ("completed", "completed_with_errors", "failed", "cancelled")


class BatchQueries:
    """All methods block; call them in a thread where an event loop runs."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, text: str) -> str:
        """Return the id of a batch. `text` is an id, the start of one, or `last`. Raises `BatchNotFound`."""
        with self._engine.connect() as connection:
            newest_first = sa.select(BATCHES.c.batch_id).order_by(BATCHES.c.created_at.desc())
            ids: list[str] = list(connection.execute(newest_first).scalars())
            matching = [found for found in ids if text == "last" or found.startswith(text)]
        if text == "last" or text in matching:
            matching = [text] if text in matching else matching[:1]
        if len(matching) == 1:
            return matching[0]
        if not matching:
            raise BatchNotFound(f"there is no batch `{text}`", hint="llm-orc batch list")
        raise BatchNotFound(f"`{text}` matches {len(matching)} batches: {', '.join(matching[:5])}")

    def batch(self, batch_id: str) -> Batch | None:
        """Return the batch with exactly this id, or None."""
        return next(map(self._with_plan_wait, self._batches(BATCHES.c.batch_id == batch_id)), None)

    def batches(self) -> list[Batch]:
        """Return all batches, the newest first."""
        return [self._with_plan_wait(batch) for batch in self._batches(sa.true())]

    def _with_plan_wait(self, batch: Batch) -> Batch:
        if batch.state != "open":
            return batch
        return replace(batch, waits_for_plan=waiting_rows(self._engine, batch.batch_id, time.time()))

    def open_batches(self, now: float) -> list[Batch]:
        """Return the open batches with rows that can be carried out: they ask nobody, or in vain until now."""
        overdue = batches_overdue(self._engine, now)
        return [
            batch
            for batch in self._batches(BATCHES.c.state == "open")
            if batch.counts.get("waiting", 0) > batch.asking or batch.batch_id in overdue
        ]

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
            asking: dict[str, int] = {}
            for batch_id, state, count, bad in connection.execute(counted):
                shown: RowState = "waiting" if state == "asking" else state
                of_batch = counts.setdefault(batch_id, {})
                of_batch[shown] = of_batch.get(shown, 0) + count
                if state == "asking":
                    asking[batch_id] = count
                unusable[batch_id] = unusable.get(batch_id, 0) + int(bad)
            found = connection.execute(
                sa.select(BATCHES).where(condition).order_by(BATCHES.c.created_at.desc())
            ).all()
        damage = next((said for row in found if (said := damage_of(BATCHES, row))), None)
        if damage is not None:
            raise StorageError(f"the batch store is damaged: {damage}", hint="Name another with `--store`.")
        return [
            Batch(
                batch_id=row.batch_id,
                ensemble=row.ensemble,
                inputs=row.inputs,
                created_at=row.created_at,
                stored_state=row.state,
                total=row.total,
                is_rehearsal=bool(row.is_rehearsal),
                limits=BatchLimits(
                    row.max_cost_usd,
                    row.max_calls,
                    row.row_max_cost_usd,
                    row.row_max_calls,
                    row.max_total_tokens,
                    row.row_max_total_tokens,
                ),
                calls=row.calls,
                spent_usd=row.spent_usd,
                tokens=row.tokens,
                counts=counts.get(row.batch_id, {}),
                unusable=unusable.get(row.batch_id, 0),
                asking=asking.get(row.batch_id, 0),
            )
            for row in found
        ]

    def ends(self, batch_id: str, known: Collection[int] = ()) -> list[RowEnd]:
        """Return how rows have ended, in the order of their numbers, without the rows in `known`."""
        new = sorted(self.ended_numbers(batch_id).difference(known))
        columns = sa.select(ROWS.c.number, ROWS.c.state, ROWS.c.ended_at, ROWS.c.spend).order_by(ROWS.c.number)
        found: list[RowEnd] = []
        with self._engine.connect() as connection:
            for start in range(0, len(new), _CHUNK):
                some = new[start : start + _CHUNK]
                rows = connection.execute(columns.where(ROWS.c.batch_id == batch_id, ROWS.c.number.in_(some)))
                found += [RowEnd(number, state, at, read_spend(spend)) for number, state, at, spend in rows]
        return found

    def open_spend(self, batch_id: str) -> dict[str, Spend]:
        """Return what the rows have spent that have begun and not ended, as they wait for a person."""
        these = (ROWS.c.batch_id == batch_id, ROWS.c.state.in_(("waiting", "asking")), ROWS.c.spend.is_not(None))
        found: dict[str, Spend] = {}
        with self._engine.connect() as connection:
            for stored in connection.execute(sa.select(ROWS.c.spend).where(*these)).scalars():
                found = added(found, read_spend(stored))
        return found

    def failures(self, batch_id: str) -> list[Failures]:
        """Return why rows have failed, the most frequent reason first."""
        of_batch = sa.and_(ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_FAILED), ROWS.c.error_code.is_not(None))
        counted = sa.select(ROWS.c.error_code, sa.func.count()).where(of_batch).group_by(ROWS.c.error_code)
        most_first = (sa.func.count().desc(), sa.func.min(ROWS.c.number))
        messages = sa.select(ROWS.c.error).group_by(ROWS.c.error).order_by(*most_first).limit(1)
        numbers = sa.select(ROWS.c.number).order_by(ROWS.c.number).limit(_SHOWN_NUMBERS)
        with self._engine.connect() as connection:
            found = [
                Failures(
                    str(code),
                    str(connection.execute(messages.where(of_batch, ROWS.c.error_code == code)).scalar() or ""),
                    rows,
                    tuple(
                        number
                        for number in connection.execute(
                            numbers.where(of_batch, ROWS.c.error_code == code)
                        ).scalars()
                        if isinstance(number, int)  # a file may contain anything
                    ),
                )
                for code, rows in connection.execute(counted).all()
            ]
        return sorted(found, key=lambda one: (-one.rows, one.first))

    def ended_numbers(self, batch_id: str) -> set[int]:
        with self._engine.connect() as connection:
            numbers = connection.execute(
                sa.select(ROWS.c.number).where(ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_ENDED))
            ).scalars()
            return {number for number in numbers if isinstance(number, int)}  # a file may contain anything

    def waiting(self, batch_id: str) -> list[tuple[int, int]]:
        """Return the number and attempt of each row that waits."""
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
        """Yield the input of each row, in order. Never holds many rows in memory."""
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
        """Yield these rows in the order of their numbers, read in chunks."""
        in_order = sorted(numbers)
        for start in range(0, len(in_order), _CHUNK):
            with self._engine.connect() as connection:
                found = connection.execute(
                    sa.select(ROWS)
                    .where(ROWS.c.batch_id == batch_id, ROWS.c.number.in_(in_order[start : start + _CHUNK]))
                    .order_by(ROWS.c.number)
                ).all()
            yield from map(read_row, found)

    def recipe(self, batch_id: str) -> Recipe:
        """Return the recipe, without a task. Raises `BatchNotFound`; `StorageError` if it is damaged or newer."""
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
