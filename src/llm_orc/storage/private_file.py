"""Read a file that only its user may read: no link is followed, nobody else's file is trusted."""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError, UnsafeFile

if TYPE_CHECKING:
    from pathlib import Path

Stamp = tuple[int, int, int, int]  # changes whenever the file is replaced or written

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# Not blocking, so that a pipe put in the file's place can't hang us.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class PrivateFile:
    """`was_loose`: the mode that let others in, None where it was right. `age_s`: since it was last written."""

    data: bytes = field(repr=False)
    stamp: Stamp
    age_s: float
    was_loose: int | None = None


def stamp_of(path: Path) -> Stamp | None:
    """Return what tells two versions of a file apart; None where there is none."""
    try:
        return _stamp(path.lstat())
    except OSError:
        return None


def read_private(path: Path, *, limit_bytes: int, repair: bool = True) -> PrivateFile | None:
    """Return the file, None where there is none. A mode that lets others in is repaired unless `repair` is false.

    Raises `UnsafeFile` for a link, for what is not a regular file, for a file of another user and for one larger
    than `limit_bytes`; `StorageError` where it can't be read.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        if path.is_symlink():
            raise UnsafeFile(f"`{path}` is a symbolic link, which is not followed") from None
        return None
    except OSError as e:
        if e.errno in {errno.ELOOP, errno.EMLINK}:
            raise UnsafeFile(f"`{path}` is a symbolic link, which is not followed") from e
        raise StorageError(f"can't read `{path}`: {e.strerror or e}") from e
    try:
        found = os.fstat(descriptor)
        _refuse_unsafe(path, found)
        loose = stat.S_IMODE(found.st_mode) if os.name != "nt" and found.st_mode & _OTHERS else None
        if loose is not None and repair:
            os.fchmod(descriptor, 0o600)
        data = _read(descriptor, limit_bytes + 1)
    except OSError as e:
        raise StorageError(f"can't read `{path}`: {e.strerror or e}") from e
    finally:
        os.close(descriptor)
    if len(data) > limit_bytes:
        raise UnsafeFile(f"`{path}` is larger than {limit_bytes // 1024} KiB")
    return PrivateFile(data, _stamp(found), time.time() - found.st_mtime, loose)


def _read(descriptor: int, most: int) -> bytes:
    parts = []
    while most > 0 and (part := os.read(descriptor, most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _refuse_unsafe(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFile(f"`{path}` is not a regular file")
    if os.name != "nt" and found.st_uid != os.geteuid():
        raise UnsafeFile(f"`{path}` belongs to another user (id {found.st_uid}), not to you (id {os.geteuid()})")


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
