"""Write a file below a folder: each folder on the way is opened, and none of them, nor the file, may be a link."""

from __future__ import annotations

import contextlib
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import write_where_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HAS_DESCRIPTORS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")  # not on Windows


def check_below(root: Path, relative: str) -> None:
    """Raise `StorageError` if the file could not be written, as far as that is seen. Nothing is made."""
    place = root
    *folders, name = relative.split("/")
    for folder in folders:
        if not os.access(place, os.W_OK | os.X_OK) and not (place / folder).is_dir():
            raise StorageError(f"can't write `{relative}`: `{place}` can't be written to")
        place /= folder
        _refuse_link(place, relative)
        if not os.path.lexists(place):
            return
        if not place.is_dir():
            raise StorageError(f"can't write `{relative}`: `{folder}` is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise StorageError(f"can't write `{relative}`: its folder can't be written to")
    _refuse_link(place / name, relative)
    if os.path.lexists(place / name) and not (place / name).is_file():
        raise StorageError(f"can't write `{relative}`: what is there is not a file")


def write_below(root: Path, relative: str, data: bytes) -> None:
    """Replace the file by `data`, whole or not at all, with the folders on its way. Raises `StorageError`.

    `relative` has names between slashes, none of them `..`. The file keeps its mode; a new one has the usual one.
    """
    try:
        if not _HAS_DESCRIPTORS:
            check_below(root, relative)
            write_where_named(root.joinpath(*relative.split("/")), data)
            return
        with _folder(root, relative) as folder:
            _replace(folder, relative.rpartition("/")[2], data)
    except OSError as e:
        raise StorageError(f"can't write `{relative}`: {e.strerror or e}") from e


def _refuse_link(place: Path, relative: str) -> None:
    if place.is_symlink() or place.is_junction() if hasattr(place, "is_junction") else place.is_symlink():
        raise StorageError(f"can't write `{relative}`: `{place.name}` is a link, which may lead elsewhere")


@contextmanager
def _folder(root: Path, relative: str) -> Iterator[int]:
    """Open the folder that the file stands in, and make those that are missing."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    at = os.open(root, flags)
    try:
        for name in relative.split("/")[:-1]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=at)
            try:
                below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=at)
            except OSError as e:
                why = "is a link or not a folder"
                raise StorageError(f"can't write `{relative}`: `{name}` {why}") from e
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _replace(folder: int, name: str, data: bytes) -> None:
    mode = _mode_of(folder, name)
    temporary = f".{os.urandom(6).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=folder), "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _mode_of(folder: int, name: str) -> int | None:
    """Return the mode of the file that is there; None: none is. Raises `StorageError` if it is something else."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        what = "a link, which may lead elsewhere" if stat.S_ISLNK(found.st_mode) else "not a file"
        raise StorageError(f"can't write `{name}`: what is there is {what}")
    return stat.S_IMODE(found.st_mode) & 0o777
