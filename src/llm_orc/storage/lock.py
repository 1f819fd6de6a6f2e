"""One process at a time: kernel file locks, which a kill -9 releases."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, *, wait_s: float = 0.0, poll_s: float = 0.05) -> Iterator[bool]:
    """Hold the lock file `path`; yield False at once (or after `wait_s`) if another process holds it.

    It may be entered in one thread and left in another. Two holders in one process exclude each other too. The
    file stays, with its holder's process id: if it were removed, two processes could lock two files of the same
    name. Raises `StorageError` if the file system has no kernel locks.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - heavy

    make_private_directory(path.parent)
    # Without `fallback_to_soft=False` the lock would be a plain file, which outlives a killed holder.
    lock = FileLock(
        path,
        mode=0o600,
        thread_local=False,
        fallback_to_soft=False,
        on_acquired=_write_holder,
        poll_interval=poll_s,
    )
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError) as e:
        said = getattr(e, "strerror", None) or e
        raise StorageError(
            f"can't lock `{path}`: {said}",
            hint="The folder must be writable, on a file system with kernel locks; some network ones have none.",
        ) from e
    try:
        yield True
    finally:
        lock.release()


def holder_of(path: Path) -> int | None:
    """Return the process id that last locked `path`, if it can be read (never on Windows)."""
    try:
        text = path.read_text("ascii")
        return int(text)
    except (OSError, ValueError):
        return None


def _write_holder(descriptor: int) -> None:
    """Only people read it, so a full disk is no reason to give up the lock."""
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except OSError:
        return
