"""Read a file that only its user may read: no link is followed, nobody else's file is trusted."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError, UnsafeFile

if TYPE_CHECKING:
    from pathlib import Path

Stamp = tuple[int, int, int, int]  # changes whenever the file is replaced or written

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PRIVATE = 0o600
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")
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


def prepare_private(path: Path) -> None:
    """Create `path` with mode 0600 where it is missing; take it for safe to be opened by its name.

    A mode that lets others in is repaired, also of the files that SQLite keeps beside a database. Raises `OSError`
    and, as `read_private` does, `UnsafeFile`; for a link that leads nowhere, too: it would be written through.
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE)
        os.close(descriptor)
    for file in (path, *(path.with_name(f"{path.name}{end}") for end in _BESIDE_DATABASES)):
        # Never opened and closed here: that would drop the locks of a connection which this process has open.
        with suppress(FileNotFoundError):
            found = file.lstat()
            if stat.S_ISLNK(found.st_mode):
                raise UnsafeFile(
                    f"`{file}` is a symbolic link, which is not followed",
                    hint="Take the link away; to keep the file elsewhere, name its folder with XDG_STATE_HOME.",
                )
            _refuse_unsafe(file, found)
            if os.name != "nt" and stat.S_IMODE(found.st_mode) != _PRIVATE:
                file.chmod(_PRIVATE)


def check_private_folder(path: Path) -> None:
    """Raise `UnsafeFile` where somebody else could put other files into a folder of ours, or already has."""
    if os.name == "nt":
        return
    trusted = {os.geteuid(), 0}
    for what, found in (("the link", path.lstat()), ("the folder", path.stat())):
        if found.st_uid not in trusted:
            raise UnsafeFile(
                f"{what} `{path}` belongs to another user (id {found.st_uid}), not to you (id {os.geteuid()})"
            )


def keep_private(folder: Path) -> None:
    """Close a folder of ours that an earlier release left open, or that was made by hand. Never fails."""
    if os.name == "nt":
        return
    with suppress(OSError):
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


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
