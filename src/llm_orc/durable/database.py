"""Open the store: a SQLite file tuned so that a kill loses nothing that was answered, or PostgreSQL."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.durable.tables import METADATA
from llm_orc.errors import StorageError
from llm_orc.storage.atomic import make_private_directory
from llm_orc.storage.sqlite import BUSY_TIMEOUT_S

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from llm_orc.durable.place import Place

_PROBABLY_WAITING_S = 30


def open_engine(place: Place, *, tuned: bool = True) -> sa.Engine:
    """Return the engine of the store, with our tables in it. Raises `StorageError`.

    SQLite with one connection in WAL mode: threads queue for it in memory, where twenty connections would fight
    for the one write lock and an answer could wait a second to be kept. `tuned` False leaves that out, for the
    test that shows what it is for.
    """
    try:
        engine = _sqlite(place.path, tuned=tuned) if place.path is not None else _postgresql(place.url)
        METADATA.create_all(engine)
    except (OSError, sa.exc.SQLAlchemyError) as e:
        raise store_error(place, e) from None  # SQLAlchemy's own text repeats statements and their values
    return engine


def store_error(place: Place, error: Exception) -> StorageError:
    """Say in our words what the database said."""
    original = getattr(error, "orig", None) or error
    said = str(original).strip().splitlines()
    hint = "Is it running, and may you use it? Passwords go into ~/.pgpass or PGPASSWORD."
    if place.path is not None:
        hint = "Free some space or mend the permissions, or name another file with `--store`."
    return StorageError(f"can't use the store `{place}`: {said[0] if said else type(error).__name__}", hint=hint)


def _sqlite(path: Path, *, tuned: bool) -> sa.Engine:
    make_private_directory(path.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if not tuned:
        return sa.create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=10 * BUSY_TIMEOUT_S,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")

    return engine


def _postgresql(url: str) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=20,
        max_overflow=0,
        pool_timeout=10 * _PROBABLY_WAITING_S,
        pool_pre_ping=True,  # a server that was restarted leaves dead connections in the pool
        connect_args={"application_name": "llm-orc", "connect_timeout": 10},
    )
