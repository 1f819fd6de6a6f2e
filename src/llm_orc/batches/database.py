"""Open the store: a SQLite file, tuned so that a killed process loses no answer, or PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from llm_orc.batches.tables import METADATA, SCHEMA, STORE
from llm_orc.errors import StorageError
from llm_orc.storage.atomic import make_private_directory
from llm_orc.storage.private_file import prepare_private
from llm_orc.storage.sqlite import BUSY_TIMEOUT_S, of_newer_release, use_wal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

    from sqlalchemy.pool import ConnectionPoolEntry

    from llm_orc.batches.store_url import StoreUrl

_POOL_TIMEOUT_S = 300.0  # of threads that queue for a connection
_AWAY_S = 600.0  # how long a server may be out of reach before work ends
_NEVER_SEEN_S = 20.0  # the same, if it was never reached: longer than a restart takes
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0

# A worker that is suspended in the middle of a transaction must not block the others for long.
CONNECT = {
    "application_name": "llm-orc",
    "connect_timeout": 10,
    "options": "-c idle_in_transaction_session_timeout=5000",
}

_T = TypeVar("_T")


@contextlib.contextmanager
def one_statement(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection for one statement that many workers make often.

    On PostgreSQL it is not in a transaction: a worker that is suspended in one would block all others.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    else:
        with engine.begin() as connection:
            yield connection


StoreFailure = sa.exc.SQLAlchemyError
"""What the database library raises; `store_error` turns it into an error for people."""
OnWait = Callable[[sa.exc.DBAPIError], None]  # called once, when waiting starts


async def in_store(work: Callable[[], _T], on_wait: OnWait = lambda _error: None) -> _T:
    """Do `work` with the store in a thread. While the server is out of reach, wait and try again.

    If the connection breaks, `work` may have been done already, so doing it twice has to be harmless.
    """
    return await retry_while_away(partial(asyncio.to_thread, work), _patience_s, on_wait)


async def retry_while_away(
    work: Callable[[], Awaitable[_T]], patience_s: Callable[[sa.exc.DBAPIError], float], on_wait: OnWait
) -> _T:
    """Repeat `work` while it fails with errors that are worth waiting for: for `patience_s` of the error."""
    began, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except sa.exc.DBAPIError as e:
            if time.monotonic() - began >= patience_s(e):
                raise
            if pause_s == _FIRST_PAUSE_S:
                on_wait(e)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def start_patience_s(error: sa.exc.DBAPIError) -> float:
    """Return how long to wait for a server that this process has not reached yet: its address may be wrong."""
    said = str(error.orig)
    if any(words in said for words in ("starting up", "shutting down", "not yet accepting", "in recovery")):
        return _AWAY_S  # error 57P03: a connection that failed has only its text
    return 0.0 if "FATAL:" in said or "password" in said else min(_patience_s(error), _NEVER_SEEN_S)


def _patience_s(error: sa.exc.DBAPIError) -> float:
    return _AWAY_S if is_away(error) else 0.0


def is_away(error: sa.exc.DBAPIError) -> bool:
    """Whether the connection broke or could not be made, or another process has locked the file."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return error.connection_invalidated or isinstance(error, (sa.exc.InterfaceError, sa.exc.OperationalError))


def open_engine(store_url: StoreUrl) -> sa.Engine:
    """Open the store and make sure that it has our tables. Raises `StorageError`."""
    engine = engine_of(store_url)
    try:
        make_tables(store_url, engine)
    except sa.exc.SQLAlchemyError as e:
        close_engine(engine)
        raise store_error(store_url, e) from None  # SQLAlchemy's message would show statements and their values
    return engine


def engine_of(store_url: StoreUrl, *, tuned: bool = True) -> sa.Engine:
    """Return an engine for the store without connecting to it. Raises `StorageError`.

    SQLite gets one connection, in WAL mode: threads queue for it in memory, while twenty connections would fight
    for the single write lock, and an answer could wait a second to be stored. `tuned=False` is for the test that
    shows it.
    """
    try:
        return (
            _sqlite(store_url.path, tuned=tuned)
            if store_url.path is not None
            else _postgresql(store_url.sqlalchemy_url)
        )
    except OSError as e:
        raise store_error(store_url, e) from None


def close_engine(engine: sa.Engine) -> None:
    """Close every connection: idle ones now, those that a thread still uses when it gives them back.

    `Engine.dispose` alone leaves the latter open in the pool that it gives up, until they are collected.
    """

    @sa.event.listens_for(engine, "checkin")
    def close(_connection: object, record: ConnectionPoolEntry) -> None:
        record.invalidate()

    engine.dispose()


def make_tables(store_url: StoreUrl, engine: sa.Engine) -> None:
    """Make our tables if there are none. Raises `StorageError` if those in the store are of a newer release."""
    with engine.connect() as connection:
        found = _schema_of(connection)
    if not found:
        one_at_a_time = "BEGIN IMMEDIATE"
        if engine.dialect.name == "postgresql":
            one_at_a_time = "SELECT pg_advisory_xact_lock(7308063)"
        with engine.begin() as connection:
            connection.exec_driver_sql(one_at_a_time)  # processes that open a new store at once take turns
            found = _schema_of(connection)
            if not found:
                METADATA.create_all(connection)
                connection.execute(sa.insert(STORE).values(schema=SCHEMA))
    if 0 < found < SCHEMA:
        with engine.begin() as connection:  # doing it twice is harmless
            METADATA.create_all(connection)  # the tables that it lacks
            _add_missing_columns(connection)
            connection.execute(sa.update(STORE).where(STORE.c.schema < SCHEMA).values(schema=SCHEMA))
    if found > SCHEMA:
        raise of_newer_release(str(store_url), found, SCHEMA)


def _add_missing_columns(connection: sa.Connection) -> None:
    """Add the columns that later releases have added to tables: each has a default, or may be null."""
    inspector = sa.inspect(connection)
    for table in METADATA.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                written = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                if_not = "IF NOT EXISTS " if connection.dialect.name == "postgresql" else ""
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {if_not}{written}")


def _schema_of(connection: sa.Connection) -> int:
    """Return the version of the tables in the store; 0 if there are none."""
    if not sa.inspect(connection).has_table(STORE.name):
        return 0
    schema: int = connection.execute(sa.select(STORE.c.schema)).scalar_one()
    if not isinstance(schema, int):
        raise StorageError(f"the store is damaged: it says that its release is {str(schema)[:40]!r}")
    return schema


def store_error(store_url: StoreUrl, error: Exception) -> StorageError:
    """Turn an error of the database into one for people, without the statement and its values."""
    original = getattr(error, "orig", None) or error
    said = str(original).strip().splitlines()
    hint = "Is it running, and do you have access? Passwords belong in ~/.pgpass or PGPASSWORD."
    if store_url.path is not None:
        hint = "Free some space or fix the permissions, or name another file with `--store`."
    return StorageError(
        f"can't use the store `{store_url}`: {said[0] if said else type(error).__name__}", hint=hint
    )


def _sqlite(path: Path, *, tuned: bool) -> sa.Engine:
    make_private_directory(path.parent)
    _refuse_foreign(path)
    prepare_private(path)  # tasks and answers are private
    if not tuned:
        return sa.create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_S,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")

    return engine


def _refuse_foreign(path: Path) -> None:
    """Raise `StorageError` if the file is another program's: our tables would be written into it."""
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as e:
        if "not a database" not in str(e):
            return  # a journal to roll back, or a lock: reported when it is opened for use
        found = {"?"}
    if found and not found & {"llm_orc_batches", "workflow_status"}:
        raise StorageError(f"`{path}` is not a batch store", hint="Name another file with `--store`.")


def _postgresql(url: str) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=20,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_S,
        pool_pre_ping=True,  # a server that was restarted leaves dead connections in the pool
        connect_args=CONNECT,
    )
