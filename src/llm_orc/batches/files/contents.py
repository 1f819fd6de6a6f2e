"""The contents of the files of batches: in the store, so that a worker on any machine has them, each once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.tables import BATCH_CONTENTS, CONTENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def keep_contents(engine: sa.Engine, batch_id: str, contents: Mapping[str, Callable[[], bytes]]) -> None:
    """Store the contents, each by its SHA-256, for the batch; what returns one is called if it is not there yet.

    Doing it twice is harmless.
    """
    if not contents:
        return
    with engine.connect() as connection:
        of_batch = sa.select(BATCH_CONTENTS.c.sha256).where(BATCH_CONTENTS.c.batch_id == batch_id)
        there = {*connection.execute(of_batch).scalars()}
    for sha256, read in contents.items():
        if sha256 not in there:
            data = read()  # not in the transaction, which others wait for
            with engine.begin() as connection:
                _lock(connection)
                if not _has(connection, sha256):
                    connection.execute(sa.insert(CONTENTS).values(sha256=sha256, data=data))
                connection.execute(sa.insert(BATCH_CONTENTS).values(batch_id=batch_id, sha256=sha256))


def load_content(engine: sa.Engine, batch_id: str, sha256: str) -> bytes | None:
    """Return the content of a file of the batch; None: it has none with this hash, or it is damaged."""
    wanted = sa.select(CONTENTS.c.data).join(BATCH_CONTENTS, CONTENTS.c.sha256 == BATCH_CONTENTS.c.sha256)
    wanted = wanted.where(BATCH_CONTENTS.c.batch_id == batch_id, CONTENTS.c.sha256 == sha256)
    with engine.connect() as connection:
        data: object = connection.execute(wanted).scalar_one_or_none()
    return data if isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == sha256 else None


def delete_contents(connection: sa.Connection, batch_id: str) -> None:
    """Delete what only this batch refers to."""
    _lock(connection)
    connection.execute(sa.delete(BATCH_CONTENTS).where(BATCH_CONTENTS.c.batch_id == batch_id))
    used = sa.select(BATCH_CONTENTS.c.sha256)
    connection.execute(sa.delete(CONTENTS).where(CONTENTS.c.sha256.not_in(used)))


def _has(connection: sa.Connection, sha256: str) -> bool:
    return connection.execute(sa.select(sa.literal(1)).where(CONTENTS.c.sha256 == sha256)).first() is not None


def _lock(connection: sa.Connection) -> None:
    """Keep others from deleting what is referred to in this transaction. A file has only one process."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(7308064)))
