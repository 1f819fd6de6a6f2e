"""A private folder that keeps contents by their SHA-256, each once: `ab/cdef…`."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError, StoreBusy
from llm_orc.storage.atomic import write_private
from llm_orc.storage.lock import exclusive
from llm_orc.storage.private_file import read_private

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

_LARGEST = 1 << 30  # bytes; what is put here has been checked
_WAIT_S = 30.0  # writing takes moments


class ContentStore:
    """All methods block, and raise `StorageError` if the folder can't be used. It is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, sha256: str) -> bytes | None:
        """Return the content; None: it is not here. Raises `StorageError` also if it is damaged."""
        path = self._path(sha256)
        found = read_private(path, limit_bytes=_LARGEST)
        if found is None:
            return None
        if hashlib.sha256(found.data).hexdigest() != sha256:
            raise StorageError(f"`{path}` is damaged: its content is not what was stored")
        return found.data

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store contents by their hashes. Call it when what refers to them is stored already: see `keep`."""
        with self._locked():
            for sha256, data in contents.items():
                if not self.has(sha256):
                    write_private(self._path(sha256), data)

    def keep(self, wanted: Callable[[], Collection[str]]) -> int:
        """Remove all contents but those that `wanted` returns; return how many there were.

        It is asked while nothing can be stored, so that nothing which has just been referred to is removed.
        """
        if not self.folder.is_dir():
            return 0
        removed = 0
        with self._locked():
            kept = frozenset(wanted())
            for path in self.folder.glob("??/*"):
                if f"{path.parent.name}{path.name}" not in kept:
                    path.unlink(missing_ok=True)
                    removed += 1
            for part in self.folder.glob("??"):
                with suppress(OSError):
                    part.rmdir()
        return removed

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256[2:]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with exclusive(self.folder / "lock", wait_s=_WAIT_S) as is_held:
            if not is_held:
                raise StoreBusy(f"another process is using `{self.folder}`")
            yield
