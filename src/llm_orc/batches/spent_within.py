"""What is spent within rows below limits of their own: a row of the store for each, from its first call on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from llm_orc.batches.tables import SPENT_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.agents.uses.limits import Bound


def within(batch_id: str, number: int, path: str) -> sa.ColumnElement[bool]:
    """Return the condition for what is spent at this path of the row."""
    of = SPENT_WITHIN.c
    return sa.and_(of.batch_id == batch_id, of.number == number, of.path == path)


def begin_within(
    connection: sa.Connection, batch_id: str, number: int, bounds: Iterable[Bound]
) -> tuple[str, ...]:
    """Return the paths of these bounds, each of which has a row of the store then."""
    paths = tuple(dict.fromkeys(str(bound.path) for bound in bounds))
    if paths:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        values = [{"batch_id": batch_id, "number": number, "path": path} for path in paths]
        connection.execute(insert(SPENT_WITHIN).on_conflict_do_nothing(), values)
    return paths


def forget_within(connection: sa.Connection, batch_id: str, number: int) -> None:
    """Begin to count anew, as another attempt at the row does."""
    of = SPENT_WITHIN.c
    connection.execute(sa.delete(SPENT_WITHIN).where(of.batch_id == batch_id, of.number == number))


def hint_within(key: str, bound: Bound) -> str:
    return (
        f"Raise `{key}` of {bound.of} in its file, give the batch's command again, then run"
        " `llm-orc batch retry-failed`."
    )
