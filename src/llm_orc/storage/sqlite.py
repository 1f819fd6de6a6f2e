"""Open an embedded database: private, in WAL mode, and brought to the newest schema."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import make_private_directory
from llm_orc.storage.patience import USUAL_PATIENCE, Patience, is_locked, locker_of, open_patiently
from llm_orc.storage.private_file import check_private_folder, prepare_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUSY_TIMEOUT_S = 30.0
_BUSY_PAUSE_S = 0.01


def open_database(
    path: Path, migrations: Sequence[str], *, survives_power_cut: bool = False, patience: Patience = USUAL_PATIENCE
) -> sqlite3.Connection:
    """Return a connection in autocommit mode, for one thread at a time.

    `migrations[n]` is the SQL script from schema version n to n + 1. The file has mode 0600, and SQLite gives its
    -wal and -shm files the same; a link is not followed, and no file of another user is opened.

    WAL with synchronous=NORMAL: a killed process loses nothing that was committed; only a power failure may
    lose the last commits (never the database). With `survives_power_cut` (synchronous=FULL) it loses none; each
    commit then waits for the disk.

    Every statement waits with `patience` for another program that has locked the file.

    Raises `StorageError` if the file is no database, is damaged, can't be written, or is of a newer release.
    """
    make_private_directory(path.parent)
    try:
        check_private_folder(path.parent)
        prepare_private(path)
        connection = open_patiently(path, patience)
    except (OSError, sqlite3.Error) as e:
        raise storage_error(path, e) from e
    try:
        _prepare(connection, path, migrations)
        connection.execute(f"PRAGMA synchronous={'FULL' if survives_power_cut else 'NORMAL'}")
    except sqlite3.Error as e:
        connection.close()
        raise storage_error(path, e) from e
    except StorageError:
        connection.close()
        raise
    return connection


def storage_error(path: Path, error: Exception) -> StorageError:
    """Turn an error of SQLite or the system about `path` into ours."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return StorageError(
            f"`{path}` is not a database of llm-orc, or is damaged: {error}",
            hint="Move the file away to start a new one; nothing in it was changed.",
        )
    if is_locked(error):
        return StorageError(
            f"can't use the database `{path}`: {locker_of(path)} has locked it and did not release it in time",
            hint=f"Wait until that program is done, or end it. {_WITHOUT}",
        )
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    cure = _CURES.get(code, "Free some space or fix the permissions.")
    return StorageError(f"can't use the database `{path}`: {said}", hint=f"{cure} {_WITHOUT}")


_WITHOUT = "With `--no-record`, runs work without it."
_CURES = {
    sqlite3.SQLITE_FULL: "Free some space.",
    sqlite3.SQLITE_READONLY: "Fix the permissions of the file and its folder.",
    sqlite3.SQLITE_PERM: "Fix the permissions of the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: "Fix the permissions of the file and its folder.",
}


def of_newer_release(store: str, schema: int, known: int) -> StorageError:
    """Return the error for a store whose schema this release does not know."""
    from llm_orc.errors.installing import upgrading  # noqa: PLC0415 - only for an error

    return StorageError(
        f"`{store}` is of a newer release of llm-orc (schema {schema}; this one knows {known})",
        hint=f"Upgrade: `{upgrading()}`.",
    )


def use_wal(connection: sqlite3.Connection) -> None:
    """Set the journal mode of a file to WAL, in which writers don't block readers.

    Several processes that open a new file at once block each other, and SQLite does not wait here.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    # One wait, not one in SQLite and one here.
    (usual_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout=0")
    try:
        _until_wal(connection, deadline)
    finally:
        connection.execute(f"PRAGMA busy_timeout={usual_ms:d}")


def _until_wal(connection: sqlite3.Connection, deadline: float) -> None:
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_S)
        else:
            return


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise of_newer_release(str(path), version, len(migrations))
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the write lock: another process may have migrated meanwhile.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for script in migrations[version:]:
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(version, len(migrations))}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
