"""Store batches and rows, and change them. Knows nothing of how a row is carried out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from llm_orc.agents.budgets.ceilings import NO_MOST, Most
from llm_orc.auth.access import Billing
from llm_orc.batches.batch_queries import BatchQueries
from llm_orc.batches.files.contents import delete_contents, keep_contents
from llm_orc.batches.kept_rows import decode_record, read_spend, row_values
from llm_orc.batches.parts import delete_parts
from llm_orc.batches.questions import Enqueue, delete_questions, go_on_if_answered
from llm_orc.batches.spent_within import forget_within
from llm_orc.batches.tables import BATCHES, PARTS, QUESTIONS, RESERVATIONS, ROWS, SPENT_WITHIN
from llm_orc.runs.recipe import Recipe, encode_recipe
from llm_orc.runs.spend import NOTHING_SPENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.batches.batch import BatchLimits, BatchRow, NewBatch, NewRow, RowState


_CHUNK = 200  # rows that are stored and queued in one transaction
_RETRIED = ("completed_with_errors", "failed")
_COUNTERS_AT_START: dict[str, int] = {"takeovers": 0, "steps_then": 0, "calls": 0, "spent_usd": 0, "tokens": 0}


class BatchStore(BatchQueries):
    """All methods block; call them in a thread where an event loop runs."""

    def submit(self, new: NewBatch, rows: Sequence[NewRow], enqueue: Enqueue, now: float) -> bool:
        """Store the batch, and queue each row in the transaction that stores it. Return whether the batch is new.

        Rows that an earlier call has stored stay as they are; the limits become those of this call. A row whose
        input can't be used ends at once.
        """
        with self._engine.begin() as connection:
            _lock(connection, new.batch_id)
            limits: dict[str, float | None] = asdict(new.limits)
            is_new = not self._change(
                connection, new.batch_id, new.recipe, new.limits, new.most, inputs=new.inputs
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
        keep_contents(self._engine, new.batch_id, new.contents)  # before rows, which may be carried out at once
        while True:
            with self._engine.begin() as connection:
                _lock(connection, new.batch_id)
                counted = sa.select(sa.func.count()).where(ROWS.c.batch_id == new.batch_id)
                there = connection.execute(counted).scalar_one()
                if there >= len(rows):
                    return is_new
                self._add(connection, new.batch_id, rows[there : there + _CHUNK], enqueue, now)

    def change(self, batch_id: str, recipe: Recipe, limits: BatchLimits, most: Most = NO_MOST) -> None:
        """Continue with another recipe, which must give the same answers, and with other limits.

        If the cost or the tokens had no limit and get one, each earlier call that is unknown counts as `most`.
        """
        with self._engine.begin() as connection:
            self._change(connection, batch_id, recipe, limits, most)

    def _change(
        self,
        connection: sa.Connection,
        batch_id: str,
        recipe: Recipe,
        limits: BatchLimits,
        most: Most,
        **others: str,
    ) -> bool:
        """Return False if there is no such batch yet."""
        this = BATCHES.c.batch_id == batch_id
        before = connection.execute(
            sa.select(BATCHES.c.max_cost_usd, BATCHES.c.max_total_tokens).where(this)
        ).one_or_none()
        if before is None:
            return False
        values: dict[str, object] = {**asdict(limits), "recipe": encode_recipe(recipe), **others}
        if before.max_cost_usd is None and limits.max_cost_usd is not None:  # nothing was counted until now
            spent = _spent_usd(connection, batch_id, most.usd)
            values["spent_usd"] = sa.case((BATCHES.c.spent_usd < spent, spent), else_=BATCHES.c.spent_usd)
        if before.max_total_tokens is None and limits.max_total_tokens is not None:
            tokens = _spent_tokens(connection, batch_id, most.tokens)
            values["tokens"] = sa.case((BATCHES.c.tokens < tokens, tokens), else_=BATCHES.c.tokens)
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
        """Queue the rows again that ended with failures; return how many. They keep the answers they have."""
        queued = 0
        with self._engine.begin() as connection:
            _lock(connection, batch_id)
            this = (ROWS.c.batch_id == batch_id, ROWS.c.state.in_(_RETRIED), ROWS.c.task != "")
            for number, attempt in connection.execute(sa.select(ROWS.c.number, ROWS.c.attempt).where(*this)).all():
                row = sa.update(ROWS).where(*this, ROWS.c.number == number, ROWS.c.attempt == attempt)
                again = row.values(state="waiting", attempt=attempt + 1, ended_at=None, **_COUNTERS_AT_START)
                if connection.execute(again).rowcount:
                    forget_within(connection, batch_id, number)
                    enqueue(connection, batch_id, number, attempt + 1)
                    queued += 1
        return queued

    def queue_next_attempt(self, batch_id: str, number: int, attempt: int, enqueue: Enqueue) -> None:
        """Queue the row's next attempt, if it still waits in this one."""
        row = (ROWS.c.batch_id == batch_id, ROWS.c.number == number)
        with self._engine.begin() as connection:
            still = sa.update(ROWS).where(*row, ROWS.c.attempt == attempt, ROWS.c.state == "waiting")
            if connection.execute(still.values(attempt=attempt + 1, takeovers=0, steps_then=0)).rowcount:
                enqueue(connection, batch_id, number, attempt + 1)

    def cancel(self, batch_id: str, now: float) -> int:
        """Mark the batch and its unfinished rows as cancelled, unless it is done; return how many rows.

        What they ask stays: `reopen` lets them ask again.
        """
        batch = self.batch(batch_id)
        if batch is None or batch.state == "done":
            return 0
        with self._engine.begin() as connection:
            connection.execute(sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(state="cancelled"))
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.state.in_(("waiting", "asking")))
                .values(state="cancelled", ended_at=now)
            )
        return batch.waiting

    def mark_spent(self, batch_id: str) -> None:
        """Mark the batch's budget as spent: no worker takes its rows until it gets a higher limit."""
        with self._engine.begin() as connection:
            this = sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id, BATCHES.c.state == "open")
            connection.execute(this.values(state="spent"))

    def reopen(self, batch_id: str) -> None:
        """Undo `cancel` and `mark_spent`: cancelled rows wait again."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(state="open"))
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == batch_id, ROWS.c.state == "cancelled")
                .values(state="waiting", ended_at=None)
            )

    def delete(self, batch_id: str) -> None:
        with self._engine.begin() as connection:
            for table in (ROWS, PARTS, QUESTIONS, RESERVATIONS, SPENT_WITHIN):
                connection.execute(sa.delete(table).where(table.c.batch_id == batch_id))
            delete_contents(connection, batch_id)
            connection.execute(sa.delete(BATCHES).where(BATCHES.c.batch_id == batch_id))

    def end_row(self, row: BatchRow, ended_at: float, record: Sequence[bytes], enqueue: Enqueue) -> RowState:
        """Store the events of this attempt at a row, and return its state. A row that has ended stays as it is.

        A row that waits for a person asks from now on, or is queued again if somebody has answered meanwhile.
        """
        _, folded = decode_record(record)
        result = folded.result()
        failed = result.error or next((agent.error for agent in result.agents if agent.error is not None), None)
        state: RowState = "asking" if result.status == "waiting" else result.status
        if result.error is not None:  # a time limit
            state = "completed_with_errors" if folded.outputs else "failed"
        elif state == "asking":
            failed = None
        unended = (ROWS.c.attempt == row.attempt, ROWS.c.state.in_(("waiting", "cancelled")))
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS)
                .where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number, *unended)
                .values(
                    state=state,
                    ended_at=None if state == "asking" else ended_at,
                    record=msgspec.json.encode([item.decode() for item in record]),
                    spend=msgspec.json.encode({str(b): s for b, s in result.by_billing.items()}),
                    error_code=failed.code if failed else None,
                    error=failed.message.replace("\0", "\ufffd") if failed else None,
                )
            )
            delete_parts(connection, row.batch_id, row.number)
            if state == "asking":
                delete_questions(connection, row.batch_id, row.number, but=folded.open_questions)
                go_on_if_answered(connection, row.batch_id, row.number, folded.open_questions, enqueue)
            else:
                delete_questions(connection, row.batch_id, row.number)
        return state

    def mark_alone(self, row: BatchRow) -> None:
        """Record that this is the only suspect row in progress: if the worker ends now, this row has ended it."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(ROWS).where(ROWS.c.batch_id == row.batch_id, ROWS.c.number == row.number).values(alone=1)
            )

    def park(self, batch_id: str, number: int, why: str, now: float, *, attempt: int | None = None) -> bool:
        """End a row that can't be finished. Return False if it has ended already, or is in a later attempt."""
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
            if parked.rowcount:
                delete_parts(connection, batch_id, number)
                delete_questions(connection, batch_id, number)
            return parked.rowcount > 0


def _lock(connection: sa.Connection, batch_id: str) -> None:
    """Keep other processes from submitting the same batch in this transaction. A file has only one process."""
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtextextended(batch_id, 7308063)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _spent_usd(connection: sa.Connection, batch_id: str, most_usd: float) -> float:
    """Return what the rows have spent, metered calls of unknown cost at their maximum."""
    spends = connection.execute(sa.select(ROWS.c.spend).where(ROWS.c.batch_id == batch_id)).scalars()
    total = NOTHING_SPENT
    for spend in spends:
        for billing, part in read_spend(spend).items():
            if billing != Billing.PLAN_CREDITS:  # no limit of money counts it: its price is not known
                total = total.plus(part)
    return total.known_cost_usd + total.unknown_costs * most_usd


def _spent_tokens(connection: sa.Connection, batch_id: str, most_tokens: int) -> int:
    """Return the tokens that the rows have taken, calls that don't say how many at their maximum."""
    spends = connection.execute(sa.select(ROWS.c.spend).where(ROWS.c.batch_id == batch_id)).scalars()
    parts = (part for spend in spends for part in read_spend(spend).values())
    return sum(
        part.input_tokens + part.output_tokens + (part.calls_without_usage + part.unanswered) * most_tokens
        for part in parts
    )
