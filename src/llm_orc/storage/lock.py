"""One process at a time: kernel file locks, which a kill -9 releases."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, *, wait_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock file `path`; yields False at once (or after `wait_s`) where another process holds it.

    The file is left behind, empty: removing a lock file would let two processes lock two files of one name.
    """
    make_private_directory(path.parent)
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        yield False
        return
    except OSError as e:
        raise StorageError(f"can't lock `{path}`: {e.strerror or e}") from e
    try:
        yield True
    finally:
        lock.release()
