"""Reserve the most that a call can cost and take, in the store, and settle it after the call's end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.budgets.ceilings import KEYS, Ceilings
from llm_orc.agents.path import is_within
from llm_orc.agents.uses.limits import Bound
from llm_orc.batches.spent_within import begin_within, hint_within, within
from llm_orc.batches.tables import BATCHES, RESERVATIONS, ROWS, SPENT_WITHIN, WORKERS
from llm_orc.batches.workers.spending.allowance import Allowance
from llm_orc.dataclass import dataclass
from llm_orc.errors import BatchBudgetExceeded, BudgetExceeded

if TYPE_CHECKING:
    from llm_orc.agents.budgets.ceilings import Limited
    from llm_orc.batches.workers.spending.account import BatchAccount


@dataclass(frozen=True, slots=True)
class RowCall:
    """A call of an agent of the row, and the bounds that hold for it within the row."""

    number: int
    attempt: Attempt
    bounds: Sequence[Bound] = ()


def reserve(account: BatchAccount, reservation_id: str, call: RowCall) -> bool:
    """Reserve the most that the call can take. Return False while calls in progress may leave enough for it.

    Raises `BudgetExceeded`, or `BatchBudgetExceeded`, if they can't. Calling this again changes nothing.
    """
    attempt = call.attempt
    usd, tokens = attempt.most_usd, attempt.most_tokens
    with account.engine.begin() as connection:
        allowances = _Allowances(connection, account.batch_id, call)
        if reservation_id in allowances.reservations:  # stored before the connection broke
            return True
        if (limited := allowances.of_row.exceeded_by(usd, tokens)) is not None:
            raise BudgetExceeded(
                f"{_may_take(attempt, limited)}, which exceeds the row's limit (`{KEYS[limited]}`)",
                hint="Raise it, give the batch's command again, then run `llm-orc batch retry-failed`.",
            )
        for bound, allowance in allowances.within:
            if (limited := allowance.exceeded_by(usd, tokens)) is not None:
                raise BudgetExceeded(
                    f"{_may_take(attempt, limited)}, which exceeds the limit of {bound.of} (`{KEYS[limited]}`)",
                    hint=hint_within(KEYS[limited], bound),
                )
        if (limited := allowances.of_batch.exceeded_by(usd, tokens)) is not None:
            option = f"`--{KEYS[limited].replace('_', '-')}`"
            raise BatchBudgetExceeded(
                f"{_may_take(attempt, limited)}, which exceeds the batch's limit ({option})",
                hint=f"To continue, give the same command with a higher {option}.",
            )
        if not all(one.fits(usd, tokens) for one in allowances.all):
            return False
        of = {"batch_id": account.batch_id, "number": call.number, "worker_id": account.worker_id}
        most = {"usd": usd, "tokens": tokens, "path": attempt.agent}
        connection.execute(sa.insert(RESERVATIONS).values(hold_id=reservation_id, **of, **most))
        return True


def settle(account: BatchAccount, reservation_id: str, call: RowCall, usd: float, tokens: int) -> None:
    """Replace the reservation by what the call has taken. Calling this again changes nothing."""
    batch_id, number = account.batch_id, call.number
    with account.engine.begin() as connection:
        this = sa.delete(RESERVATIONS).where(RESERVATIONS.c.hold_id == reservation_id)
        if not connection.execute(this).rowcount:
            return
        row = sa.and_(ROWS.c.batch_id == batch_id, ROWS.c.number == number)
        more = sa.update(ROWS).where(row)
        connection.execute(more.values(spent_usd=ROWS.c.spent_usd + usd, tokens=ROWS.c.tokens + tokens))
        for path in begin_within(connection, batch_id, number, call.bounds):
            of = SPENT_WITHIN.c
            more = sa.update(SPENT_WITHIN).where(within(batch_id, number, path))
            connection.execute(more.values(spent_usd=of.spent_usd + usd, tokens=of.tokens + tokens))
        more = sa.update(BATCHES).where(BATCHES.c.batch_id == batch_id)
        connection.execute(more.values(spent_usd=BATCHES.c.spent_usd + usd, tokens=BATCHES.c.tokens + tokens))


def _may_take(attempt: Attempt, limited: Limited) -> str:
    if limited == "cost":
        return f"{attempt.what} may cost up to ${attempt.most_usd:.4f}"
    return f"{attempt.what} may take up to {attempt.most_tokens:,} tokens"


class _Allowances:
    """What is left for a call: of its batch, its row, and within the row. Its transaction has the batch's lock."""

    def __init__(self, connection: sa.Connection, batch_id: str, call: RowCall) -> None:
        batch = connection.execute(
            sa.select(*_OF_BATCH).where(BATCHES.c.batch_id == batch_id).with_for_update()
        ).one()
        of_row = (ROWS.c.batch_id == batch_id, ROWS.c.number == call.number)
        row = connection.execute(sa.select(ROWS.c.spent_usd, ROWS.c.tokens).where(*of_row)).one()
        self.of_batch = Allowance(
            Ceilings(batch.max_cost_usd, None, batch.max_total_tokens), batch.spent_usd, batch.tokens
        )
        self.of_row = Allowance(
            Ceilings(batch.row_max_cost_usd, None, batch.row_max_total_tokens), row.spent_usd, row.tokens
        )
        self.within = [(bound, self._bounded(connection, batch_id, call.number, bound)) for bound in call.bounds]
        living = sa.exists().where(WORKERS.c.worker_id == RESERVATIONS.c.worker_id).label("lives")
        of = RESERVATIONS.c
        found = connection.execute(
            sa.select(of.hold_id, of.number, of.usd, of.tokens, of.path, living).where(of.batch_id == batch_id)
        ).all()
        self.reservations = frozenset(one.hold_id for one in found)
        for one in found:
            self.of_batch.add(one.usd, one.tokens, lives=one.lives)
            if one.number == call.number:
                self.of_row.add(one.usd, one.tokens, lives=one.lives)
                for bound, allowance in self.within:
                    if one.path == bound.path or is_within(one.path, bound.path):
                        allowance.add(one.usd, one.tokens, lives=one.lives)

    @staticmethod
    def _bounded(connection: sa.Connection, batch_id: str, number: int, bound: Bound) -> Allowance:
        of = SPENT_WITHIN.c
        spent = connection.execute(
            sa.select(of.spent_usd, of.tokens).where(within(batch_id, number, bound.path))
        ).one_or_none()
        return Allowance(bound.ceilings, *(spent or (0.0, 0)))

    @property
    def all(self) -> list[Allowance]:
        return [self.of_row, *(allowance for _, allowance in self.within), self.of_batch]


_OF_BATCH = (
    BATCHES.c.max_cost_usd,
    BATCHES.c.max_total_tokens,
    BATCHES.c.row_max_cost_usd,
    BATCHES.c.row_max_total_tokens,
    BATCHES.c.spent_usd,
    BATCHES.c.tokens,
)
