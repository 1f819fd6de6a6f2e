"""Read a file that only its user may read: no link is followed, and no file of another user is trusted."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError, UnsafeFile

if TYPE_CHECKING:
    from pathlib import Path

Stamp = tuple[int, int, int, int]  # changes whenever the file is replaced or written

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PRIVATE = 0o600
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")
# Non-blocking, so that a pipe in the file's place can't block us.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class PrivateFile:
    """`was_loose`: the mode if others had access, else None. `age_s`: seconds since it was last written."""

    data: bytes = field(repr=False)
    stamp: Stamp
    age_s: float
    was_loose: int | None = None


def stamp_of(path: Path) -> Stamp | None:
    """Return a value that differs between two versions of a file; None: there is no file."""
    try:
        return _stamp(path.lstat())
    except OSError:
        return None


def read_private(path: Path, *, limit_bytes: int, repair: bool = True) -> PrivateFile | None:
    """Return the file, None if there is none. A mode that lets others in is corrected unless `repair` is false.

    Raises `UnsafeFile` for a link, for anything but a regular file, for a file of another user and for one larger
    than `limit_bytes`; `StorageError` if it can't be read.
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
    """Create `path` with mode 0600 if it is missing, and check that it is safe to open by its name.

    A mode that gives others access is corrected, also of the files that SQLite keeps beside a database. Raises
    `OSError` and, like `read_private`, `UnsafeFile`; for a dangling link too, because it would be written through.
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE)
        os.close(descriptor)
    for file in (path, *(path.with_name(f"{path.name}{end}") for end in _BESIDE_DATABASES)):
        # Never opened and closed here: that would release the locks of a connection that this process has open.
        with suppress(FileNotFoundError):
            found = file.lstat()
            if stat.S_ISLNK(found.st_mode):
                raise UnsafeFile(
                    f"`{file}` is a symbolic link, which is not followed",
                    hint="Remove the link; to keep the file elsewhere, set XDG_STATE_HOME to its folder.",
                )
            _refuse_unsafe(file, found)
            if os.name != "nt" and stat.S_IMODE(found.st_mode) != _PRIVATE:
                file.chmod(_PRIVATE)


def check_private_folder(path: Path) -> None:
    """Raise `UnsafeFile` if another user could put files into a folder of ours, or owns it."""
    if os.name == "nt":
        return
    trusted = {os.geteuid(), 0}
    for what, found in (("the link", path.lstat()), ("the folder", path.stat())):
        if found.st_uid not in trusted:
            raise UnsafeFile(
                f"{what} `{path}` belongs to another user (id {found.st_uid}), not to you (id {os.geteuid()})"
            )


def keep_private(folder: Path) -> None:
    """Make a folder of ours private if an earlier release or a person left it open to others. Never fails."""
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
