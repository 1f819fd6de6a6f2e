"""What agents of rows ask people, and the answers, until the row ends, whose record has them then.

A row that waits for an answer is `asking`: no workflow of the durable engine has it. An answer, or the end of the
time for it, makes it wait for its turn again, in a new attempt that keeps all answers it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from llm_orc.batches.batch import parse_workflow_id
from llm_orc.batches.parts import is_held
from llm_orc.batches.tables import QUESTIONS, ROWS, engine_connection
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import ApprovalAnswered, ApprovalAsked
from llm_orc.errors import StorageError
from llm_orc.runs.wire import decode_event, encode_event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from llm_orc.batches.parts import RowExecution

Enqueue = Callable[[sa.Connection, str, int, int], None]
"""Queues a row in the transaction of a connection: (connection, batch, row's number, attempt)."""

_OF = QUESTIONS.c
_SAME_ROW = (ROWS.c.batch_id == _OF.batch_id, ROWS.c.number == _OF.number)
_OPEN = (_OF.answer.is_(None), ROWS.c.state.in_(("waiting", "asking")))
_Event = TypeVar("_Event", ApprovalAsked, ApprovalAnswered)


@dataclass(frozen=True, slots=True)
class RowQuestion:
    """What an agent of a row asks. `label` is the row's name for people; `answered` None: nobody has answered."""

    batch_id: str
    number: int
    label: str
    asked: ApprovalAsked
    answered: ApprovalAnswered | None = None


def keep_question(engine: sa.Engine, of: RowExecution, asked: ApprovalAsked) -> bool:
    """Store what an agent of a row asks, in place of what it asked before. False: another execution has the row.

    Blocks.
    """
    row = parse_workflow_id(of.workflow)
    assert row is not None
    this = (_OF.batch_id == row.batch_id, _OF.number == row.number, _OF.agent == asked.agent)
    with engine_connection(engine) as connection, connection.begin():
        if not is_held(connection, of):
            return False
        connection.execute(sa.delete(QUESTIONS).where(*this))
        connection.execute(
            sa.insert(QUESTIONS).values(
                batch_id=row.batch_id,
                number=row.number,
                agent=asked.agent,
                asked=encode_event(asked)[1],
                deadline=asked.deadline,
            )
        )
    return True


def find_question(engine: sa.Engine, batch_id: str, number: int, agent: str) -> RowQuestion | None:
    """Return what the agent asks, and its answer; None: it has asked nothing. Blocks."""
    with engine.connect() as connection:
        found = _questions(connection, _OF.batch_id == batch_id, _OF.number == number, _OF.agent == agent)
        return next(found, None)


def open_questions(
    engine: sa.Engine, batch_id: str, numbers: Collection[int] = (), *, limit: int | None = None
) -> list[RowQuestion]:
    """Return what nobody has answered in these rows of the batch, or in all, in their order. Blocks."""
    these = [_OF.batch_id == batch_id, *_OPEN]
    if numbers:
        these.append(_OF.number.in_(sorted(numbers)))
    with engine.connect() as connection:
        return list(_questions(connection, *these, limit=limit))


def count_open(engine: sa.Engine, batch_id: str) -> int:
    """Return how many questions of the batch nobody has answered. Blocks."""
    counted = sa.select(sa.func.count()).select_from(QUESTIONS).join(ROWS, sa.and_(*_SAME_ROW))
    with engine.connect() as connection:
        return connection.execute(counted.where(_OF.batch_id == batch_id, *_OPEN)).scalar_one()


def answer_question(
    engine: sa.Engine, batch_id: str, number: int, answered: ApprovalAnswered, enqueue: Enqueue
) -> bool:
    """Store the answer, and queue the row that waits for it. False: it is answered already, or asks nothing.

    Blocks.
    """
    with engine.begin() as connection:
        # Locked: whoever ends an attempt at the row sees the answer, or this sees that the row asks.
        row = sa.select(ROWS.c.state).where(ROWS.c.batch_id == batch_id, ROWS.c.number == number)
        if connection.execute(row.with_for_update()).scalar() not in ("waiting", "asking"):
            return False
        this = (_OF.batch_id == batch_id, _OF.number == number, _OF.agent == answered.agent)
        given = sa.update(QUESTIONS).where(*this, _OF.answer.is_(None))
        if not connection.execute(given.values(answer=encode_event(answered)[1])).rowcount:
            return False
        _go_on(connection, batch_id, number, enqueue)
    return True


def go_on_if_answered(
    connection: sa.Connection, batch_id: str, number: int, asking: Collection[str], enqueue: Enqueue
) -> None:
    """Queue a row that asks from now on, if one of those `asking` was answered before it could learn it."""
    this = (_OF.batch_id == batch_id, _OF.number == number, _OF.answer.is_(None))
    still_open = frozenset(connection.execute(sa.select(_OF.agent).where(*this)).scalars())
    if not still_open.issuperset(asking):
        _go_on(connection, batch_id, number, enqueue)


def wake_overdue(engine: sa.Engine, now: float, enqueue: Enqueue, batch_id: str | None = None) -> int:
    """Queue the rows whose time for an answer has passed, of one batch or of all; return how many. Blocks."""
    these = [*_OPEN, ROWS.c.state == "asking", _OF.deadline <= now]
    if batch_id is not None:
        these.append(_OF.batch_id == batch_id)
    overdue = sa.select(_OF.batch_id, _OF.number).join(ROWS, sa.and_(*_SAME_ROW)).where(*these).distinct()
    with engine.connect() as connection:
        rows = connection.execute(overdue).all()
    for of_batch, number in rows:
        with engine.begin() as connection:
            _go_on(connection, of_batch, number, enqueue)
    return len(rows)


def batches_overdue(engine: sa.Engine, now: float) -> frozenset[str]:
    """Return the batches with rows whose time for an answer has passed. Blocks."""
    overdue = sa.select(_OF.batch_id).join(ROWS, sa.and_(*_SAME_ROW))
    with engine.connect() as connection:
        return frozenset(
            connection.execute(overdue.where(*_OPEN, ROWS.c.state == "asking", _OF.deadline <= now)).scalars()
        )


def take_untold(engine: sa.Engine, batch_id: str, now: float, unless_after: float) -> list[RowQuestion]:
    """Return what is open in rows that wait and nobody was told of, and note that somebody is told now.

    Returns nothing if somebody was told of another question of the batch after that time. Blocks.
    """
    of_batch, untold = _OF.batch_id == batch_id, (*_OPEN, ROWS.c.state == "asking", _OF.told_at.is_(None))
    with engine.begin() as connection:
        last = connection.execute(sa.select(sa.func.max(_OF.told_at)).where(of_batch)).scalar()
        if last is not None and last > unless_after:
            return []
        these = sa.select(_OF.number, _OF.agent).join(ROWS, sa.and_(*_SAME_ROW)).where(of_batch, *untold)
        rows = connection.execute(these.with_for_update(of=QUESTIONS, skip_locked=True)).all()
        for number, agent in rows:
            this = (of_batch, _OF.number == number, _OF.agent == agent)
            connection.execute(sa.update(QUESTIONS).where(*this).values(told_at=now))
        taken = {(number, agent) for number, agent in rows}
        return [one for one in _questions(connection, of_batch) if (one.number, one.asked.agent) in taken]


def delete_questions(connection: sa.Connection, batch_id: str, number: int, but: Collection[str] = ()) -> None:
    """Delete what a row asks, but what these agents ask, and what they were answered."""
    this = (_OF.batch_id == batch_id, _OF.number == number, _OF.agent.not_in(sorted(but)))
    connection.execute(sa.delete(QUESTIONS).where(*this))


def _go_on(connection: sa.Connection, batch_id: str, number: int, enqueue: Enqueue) -> None:
    """Queue the next attempt at a row that asks; what it has spent still counts."""
    this = (ROWS.c.batch_id == batch_id, ROWS.c.number == number, ROWS.c.state == "asking")
    attempt = connection.execute(sa.select(ROWS.c.attempt).where(*this)).scalar()
    if attempt is None:
        return
    again = sa.update(ROWS).where(*this, ROWS.c.attempt == attempt)
    values = {"state": "waiting", "attempt": attempt + 1, "takeovers": 0, "steps_then": 0}
    if connection.execute(again.values(**values)).rowcount:
        enqueue(connection, batch_id, number, attempt + 1)


def _questions(
    connection: sa.Connection, *these: sa.ColumnElement[bool], limit: int | None = None
) -> Iterator[RowQuestion]:
    """Yield questions in the order of their rows. Raises `StorageError` for one that can't be read."""
    columns = sa.select(_OF.batch_id, _OF.number, ROWS.c.label, _OF.asked, _OF.answer)
    found = columns.join(ROWS, sa.and_(*_SAME_ROW)).where(*these).order_by(_OF.number, _OF.agent).limit(limit)
    for batch_id, number, label, asked, answer in connection.execute(found):
        question = _decoded("approval_asked", asked, ApprovalAsked, number)
        given = None if answer is None else _decoded("approval_answered", answer, ApprovalAnswered, number)
        yield RowQuestion(batch_id, number, str(label), question, given)


def _decoded(kind: str, body: object, of: type[_Event], number: int) -> _Event:
    if isinstance(body, bytes):
        for event in decode_event(kind, body):
            if isinstance(event, of):
                return event
    raise StorageError(f"the store's data of row {number} is damaged: what it asks a person can't be read")
