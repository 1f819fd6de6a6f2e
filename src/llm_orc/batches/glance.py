"""A quick look at the batches of a file: how many there are, and which are unfinished.

Reads the tables of `batches.tables` with SQLite alone, because a command that only shows them would wait for the
durable engine and SQLAlchemy to be imported.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from llm_orc.agents.budgets.ceilings import Limited
from llm_orc.batches.store_url import lock_file
from llm_orc.dataclass import dataclass
from llm_orc.storage.lock import exclusive
from llm_orc.storage.sqlite import storage_error

if TYPE_CHECKING:
    from pathlib import Path

_UNFINISHED = """
SELECT * FROM (
    SELECT batch_id, ensemble, state, total, max_cost_usd IS NOT NULL, max_calls IS NOT NULL, created_at, (
        SELECT count(*) FROM llm_orc_rows AS r
        WHERE r.batch_id = b.batch_id AND r.state NOT IN ('waiting', 'asking')
    ) AS ended, (
        SELECT min(until) FROM llm_orc_plan_waits AS w WHERE w.batch_id = b.batch_id AND w.until > ?
    ), (
        SELECT count(*) FROM llm_orc_rows AS r WHERE r.batch_id = b.batch_id AND r.state = 'asking'
    )
    FROM llm_orc_batches AS b WHERE state IN ('open', 'spent')
) WHERE ended < total ORDER BY created_at DESC
"""


@dataclass(frozen=True, slots=True)
class UnfinishedBatch:
    """A batch with rows that have not ended. `spent`: its budget is used up."""

    batch_id: str
    ensemble: str
    state: Literal["open", "spent"]
    total: int
    ended: int  # rows
    limited: Limited  # what it has a limit of: cost, else calls, else tokens
    waits_until: float | None  # for a plan that is used up; Unix seconds
    asking: int = 0  # rows that wait for a person's answer

    @property
    def only_asks(self) -> bool:
        """Whether nothing is left to do before a person answers."""
        return self.state == "open" and 0 < self.asking == self.total - self.ended


@dataclass(frozen=True, slots=True)
class Glance:
    """The batches of a file."""

    total: int
    unfinished: tuple[UnfinishedBatch, ...]  # the newest first; none that was cancelled


def glance_at(path: Path, now: float) -> Glance:
    """Look at the file, and change nothing. Raises `StorageError` if it is no store of this release."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            (total,) = connection.execute("SELECT count(*) FROM llm_orc_batches").fetchone()
            rows = connection.execute(_UNFINISHED, [now]).fetchall()
    except sqlite3.Error as e:
        raise storage_error(path, e) from e
    return Glance(total, tuple(_unfinished(row) for row in rows))


def _unfinished(row: tuple[Any, ...]) -> UnfinishedBatch:
    batch_id, ensemble, state, total, has_max_cost, has_max_calls, _, ended, until, asking = row
    limited: Limited = "cost" if has_max_cost else "calls" if has_max_calls else "tokens"
    return UnfinishedBatch(batch_id, ensemble, state, total, ended, limited, until, asking)


def is_worked_on(path: Path) -> bool:
    """Whether a process works on the batches of this file."""
    lock = lock_file(path)
    if not lock.exists():
        return False
    with exclusive(lock) as is_free:
        return not is_free
