"""Read what is below a folder: each folder on the way is opened, and no link is followed, so nothing leads out."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

_HAS_DESCRIPTORS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")  # not on Windows
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER_FLAGS = _FLAGS | getattr(os, "O_DIRECTORY", 0)
_FILE_FLAGS = _FLAGS | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

EntryKind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a folder; `size` in bytes is that of a file."""

    name: str
    kind: EntryKind
    size: int = 0


class Folder:
    """What is below `root`. Nothing in the folders `closed`, wherever they are, is opened or listed.

    Links are never followed, also not while somebody puts one in the place of a folder; where there are no
    descriptors of folders (Windows), each step is checked before it is taken. Nothing but plain files is opened.
    Every method raises `StorageError`.
    """

    def __init__(self, root: Path, closed: Iterable[Path] = ()) -> None:
        self._root = root
        self._closed = frozenset(id_ for place in closed if (id_ := _id_at(place)) is not None)

    @contextmanager
    def file(self, parts: Sequence[str]) -> Iterator[BinaryIO]:
        """Open a plain file for reading."""
        path = "/".join(parts)
        if not parts:
            raise StorageError("the root is a folder, not a file")
        try:
            if _HAS_DESCRIPTORS:
                with self._opened(parts[:-1]) as at:
                    _refuse_others(path, os.stat(parts[-1], dir_fd=at, follow_symlinks=False))
                    descriptor = os.open(parts[-1], _FILE_FLAGS, dir_fd=at)
            else:
                place = self._checked(parts)
                _refuse_others(path, place.lstat())
                descriptor = os.open(place, _FILE_FLAGS)
        except OSError as e:
            raise _unread(path, e) from e
        with os.fdopen(descriptor, "rb") as opened:
            _refuse_others(path, os.fstat(opened.fileno()))
            yield opened

    def entries(self, parts: Sequence[str]) -> list[Entry]:
        """Return what is in a folder, by name; what vanishes meanwhile is left out."""
        try:
            if _HAS_DESCRIPTORS:
                with self._opened(parts) as at, os.scandir(at) as found:
                    entries = [entry for one in found if (entry := _entry_of(one)) is not None]
            else:
                with os.scandir(self._checked(parts)) as found:
                    entries = [entry for one in found if (entry := _entry_of(one)) is not None]
        except OSError as e:
            raise _unread("/".join(parts), e) from e
        return sorted(entries, key=lambda entry: entry.name)

    def kind_of(self, parts: Sequence[str]) -> EntryKind:
        """Return what is there."""
        if not parts:
            return "folder"
        try:
            if _HAS_DESCRIPTORS:
                with self._opened(parts[:-1]) as at:
                    return _kind(os.stat(parts[-1], dir_fd=at, follow_symlinks=False))
            return _kind(self._checked(parts).lstat())
        except OSError as e:
            raise _unread("/".join(parts), e) from e

    @contextmanager
    def _opened(self, parts: Sequence[str]) -> Iterator[int]:
        """Open the folder, step by step."""
        self._refuse_root_in_closed()
        at = os.open(self._root, _FOLDER_FLAGS)
        try:
            self._refuse_closed(os.fstat(at))
            for i, name in enumerate(parts):
                try:
                    below = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=at)
                except (NotADirectoryError, OSError) as e:
                    if not isinstance(e, FileNotFoundError | PermissionError):
                        _refuse_others(
                            "/".join(parts[: i + 1]), os.stat(name, dir_fd=at, follow_symlinks=False), "folder"
                        )
                    raise
                os.close(at)
                at = below
                self._refuse_closed(os.fstat(at))
            yield at
        finally:
            os.close(at)

    def _checked(self, parts: Sequence[str]) -> Path:
        """Return the place after looking at each step: for systems without descriptors of folders."""
        self._refuse_root_in_closed()
        place = self._root
        for i, name in enumerate(parts):
            place /= name
            if place.is_symlink() or (hasattr(place, "is_junction") and place.is_junction()):
                raise _is_link("/".join(parts[: i + 1]))
            self._refuse_closed(place.stat())
        return place

    def _refuse_root_in_closed(self) -> None:
        for place in (self._root, *self._root.resolve().parents) if self._closed else ():
            self._refuse_closed(place.stat())

    def _refuse_closed(self, found: os.stat_result) -> None:
        if (found.st_dev, found.st_ino) in self._closed:
            raise StorageError("these are files of llm-orc itself, which are never shown")


def _id_at(place: Path) -> tuple[int, int] | None:
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _kind(found: os.stat_result) -> EntryKind:
    if stat.S_ISREG(found.st_mode):
        return "file"
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(found.st_mode) else "other"


def _entry_of(one: os.DirEntry[str]) -> Entry | None:
    try:
        found = one.stat(follow_symlinks=False)
    except OSError:
        return None
    return Entry(one.name, _kind(found), found.st_size if stat.S_ISREG(found.st_mode) else 0)


def _refuse_others(path: str, found: os.stat_result, wanted: EntryKind = "file") -> None:
    kind = _kind(found)
    if kind == "link":
        raise _is_link(path)
    if kind != wanted:
        what = "a folder" if kind == "folder" else "no folder" if wanted == "folder" else "no plain file"
        raise StorageError(f"`{path}` is {what}")


def _is_link(path: str) -> StorageError:
    return StorageError(f"`{path}` is a link, and links are not followed: they may lead elsewhere")


def _unread(path: str, error: OSError) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return StorageError(f"there is no `{path}`")
    return StorageError(f"`{path or '.'}` can't be read: {error.strerror or type(error).__name__}")
