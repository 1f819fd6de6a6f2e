"""Open the store: a SQLite file tuned so that a kill loses nothing that was answered, or PostgreSQL."""

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

    from llm_orc.batches.store_url import Place

_POOL_TIMEOUT_S = 300.0  # of threads that queue for a connection: long, as they have nothing better to do
_AWAY_S = 600.0  # how long a server may be away before we give up
_NEVER_SEEN_S = 20.0  # the same, where it was not there once: longer than it takes to restart
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0

# A worker that is stopped in the middle of a transaction must not hold the others up for long.
CONNECT = {
    "application_name": "llm-orc",
    "connect_timeout": 10,
    "options": "-c idle_in_transaction_session_timeout=5000",
}

_T = TypeVar("_T")


@contextlib.contextmanager
def one_statement(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection for one statement that many workers make often.

    On PostgreSQL there is no transaction around it: who is stopped in the middle of one would hold all others up.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    else:
        with engine.begin() as connection:
            yield connection


StoreFailure = sa.exc.SQLAlchemyError
"""What the store says, in the words of its library; `store_error` puts it into ours."""
Told = Callable[[sa.exc.DBAPIError], None]


async def in_store(work: Callable[[], _T], told: Told = lambda _error: None) -> _T:
    """Do `work` with the store in a thread; a server that is restarted is waited for.

    What was done when the connection broke may be done twice, so `work` must bear that.
    """
    return await patiently(partial(asyncio.to_thread, work), _worth_s, told)


async def patiently(
    work: Callable[[], Awaitable[_T]], worth_s: Callable[[sa.exc.DBAPIError], float], told: Told
) -> _T:
    """Do `work` again while it fails with errors that are worth waiting so long for. `told` hears of the first."""
    began, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except sa.exc.DBAPIError as e:
            if time.monotonic() - began >= worth_s(e):
                raise
            if pause_s == _FIRST_PAUSE_S:
                told(e)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def worth_at_start_s(error: sa.exc.DBAPIError) -> float:
    """Return how long a server is waited for that this process has not reached yet: its address may be wrong."""
    said = str(error.orig)
    if any(words in said for words in ("starting up", "shutting down", "not yet accepting", "in recovery")):
        return _AWAY_S  # 57P03, which a connection that failed has as words only
    return 0.0 if "FATAL:" in said or "password" in said else min(_worth_s(error), _NEVER_SEEN_S)


def _worth_s(error: sa.exc.DBAPIError) -> float:
    return _AWAY_S if is_away(error) else 0.0


def is_away(error: sa.exc.DBAPIError) -> bool:
    """Did the connection break, or could none be made? A file is away while another process has its lock."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return error.connection_invalidated or isinstance(error, (sa.exc.InterfaceError, sa.exc.OperationalError))


def open_engine(place: Place) -> sa.Engine:
    """Return the engine of the store, with our tables in it. Raises `StorageError`."""
    engine = engine_of(place)
    try:
        make_tables(place, engine)
    except sa.exc.SQLAlchemyError as e:
        engine.dispose()
        raise store_error(place, e) from None  # SQLAlchemy's own text repeats statements and their values
    return engine


def engine_of(place: Place, *, tuned: bool = True) -> sa.Engine:
    """Return the engine of the store, which has not been asked for anything yet. Raises `StorageError`.

    SQLite with one connection in WAL mode: threads queue for it in memory, where twenty connections would fight
    for the one write lock and an answer could wait a second to be kept. `tuned` False leaves that out, for the
    test that shows what it is for.
    """
    try:
        return _sqlite(place.path, tuned=tuned) if place.path is not None else _postgresql(place.url)
    except OSError as e:
        raise store_error(place, e) from None


def make_tables(place: Place, engine: sa.Engine) -> None:
    """Make our tables where there are none. Raises `StorageError` where those found are a newer release's."""
    with engine.connect() as connection:
        found = _schema_of(connection)
    if not found:
        one_at_a_time = "BEGIN IMMEDIATE"
        if engine.dialect.name == "postgresql":
            one_at_a_time = "SELECT pg_advisory_xact_lock(7308063)"
        with engine.begin() as connection:
            connection.exec_driver_sql(one_at_a_time)  # those that come at once would stand in each other's way
            found = _schema_of(connection)
            if not found:
                METADATA.create_all(connection)
                connection.execute(sa.insert(STORE).values(schema=SCHEMA))
    if found > SCHEMA:
        raise of_newer_release(str(place), found, SCHEMA)


def _schema_of(connection: sa.Connection) -> int:
    """Return the number of the tables' schema, 0 where there are none."""
    if not sa.inspect(connection).has_table(STORE.name):
        return 0
    schema: int = connection.execute(sa.select(STORE.c.schema)).scalar_one()
    if not isinstance(schema, int):
        raise StorageError(f"the store is damaged: it says that its release is {str(schema)[:40]!r}")
    return schema


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
    _refuse_foreign(path)
    prepare_private(path)  # tasks and answers are nobody else's
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
    """Raise `StorageError` for a file that is something else: we would write our tables into it."""
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as e:
        if "not a database" not in str(e):
            return  # a journal to be rolled back, or a lock: said when it is really opened
        found = {"?"}
    if found and not found & {"llm_orc_batches", "workflow_status"}:
        raise StorageError(f"`{path}` is no store of batches", hint="Name another file with `--store`.")


def _postgresql(url: str) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=20,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_S,
        pool_pre_ping=True,  # a server that was restarted leaves dead connections in the pool
        connect_args=CONNECT,
    )
