"""Write a file whole or not at all, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def make_private_directory(path: Path) -> None:
    """Create `path` if it does not exist; each folder that is created has mode 0700, whatever the umask is."""
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.is_dir():
                _make_private(folder)
    except OSError as e:
        raise StorageError(f"can't create the folder `{path}`: {e.strerror or e}") from e


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():  # otherwise another process was faster
            raise
    else:
        folder.chmod(0o700)


def write_private(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace `path` by `data`, mode 0600, flushed to the disk; a crash leaves the old file or the new one.

    Raises `StorageError`, and whatever pieces of `data` raise; the old file is then as it was.
    """
    make_private_directory(path.parent)
    _replace(path, data, 0o600)


def _replace(path: Path, data: bytes | Iterable[bytes], mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            if os.name != "nt":
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except BaseException as e:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(e, OSError):
            raise StorageError(f"can't write `{path}`: {e.strerror or e}") from e
        raise


def write_where_named(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write to the path that the user named for output. Raises `StorageError`.

    A file is written whole or not at all; of a link, the target is written. It keeps its mode; a new file and its
    folders have the user's usual one. A pipe or a device, as /dev/stdout may be, receives the bytes as they come.
    """
    try:
        if not path.exists() or path.is_file() or path.is_dir():
            target = path.resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, data, _mode_of_output(target))
            return
        with path.open("wb") as place:
            place.writelines([data] if isinstance(data, bytes) else data)
    except OSError as e:
        raise StorageError(f"can't write `{path}`: {e.strerror or e}") from e


def _mode_of_output(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except FileNotFoundError:
        return 0o666 & ~_umask()


def _umask() -> int:
    """Return the process's umask. It can only be read by setting it: for a moment, to one that permits nothing."""
    found = os.umask(0o077)
    os.umask(found)
    return found


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of `path` left behind. Only for a caller that holds the lock of its writers."""
    for temporary in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            temporary.unlink()


def sync_directory(path: Path) -> None:
    """Make the rename itself durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
