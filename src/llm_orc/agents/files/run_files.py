"""The files of one run while it goes on: their contents in memory or in a store, and copies for programs."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Self

from llm_orc.errors import FileMissing, InternalError, ReferenceWithoutValue
from llm_orc.storage.contents.types import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llm_orc.providers.parts import FileRef

_MOST_KEPT = 64 * 1024 * 1024  # bytes of contents that were read


def missing(file: FileRef) -> FileMissing:
    """Return the error for a file whose content is gone."""
    return FileMissing(
        f"the file `{file.name}` of this run is not stored any more", hint="Start the run again with the file."
    )


class RunFiles:
    """Implements `agents.files.access.FileAccess`. Leave it as a context: that removes the copies for programs."""

    def __init__(
        self,
        files: Iterable[FileRef] | None,
        named: Mapping[str, FileRef],
        load: Callable[[str], bytes | None],
        *,
        most_kept: int = _MOST_KEPT,
    ) -> None:
        """`load` returns a content by its hash; None: there is none. Only those of `files` are ever asked for.

        `files` None: `load` itself returns what the run may read, and nothing else. `most_kept`: bytes of contents
        that stay in memory.
        """
        self._known = None if files is None else {one.sha256 for one in files}
        self._named, self._load, self._most_kept = named, load, most_kept
        self._using = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._folder: Path | None = None
        self._copies: dict[FileRef, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the copies for programs."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def also(self, files: Iterable[FileRef]) -> None:
        """Let these be read too, which the history of a conversation has."""
        if self._known is not None:
            self._known |= {one.sha256 for one in files}

    def named(self, path: str) -> FileRef:
        if path not in self._named:
            raise InternalError(f"the file `{path}` is not among those of the run")
        return self._named[path]

    def content(self, file: FileRef) -> bytes:
        if self._known is not None and file.sha256 not in self._known:
            raise InternalError(f"`{file.name}` is not a file of this run")
        with self._using:
            if file.sha256 in self._kept:
                self._kept.move_to_end(file.sha256)
                return self._kept[file.sha256]
        data = self._load(file.sha256)
        if data is None:
            raise missing(file)
        with self._using:
            self._kept[file.sha256] = data
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._most_kept:
                self._kept.popitem(last=False)
        return data

    def read(self, files: Iterable[FileRef]) -> None:
        """Read contents that are needed soon. It blocks: call it in a thread."""
        for file in files:
            self.content(file)

    def text(self, file: FileRef) -> str:
        if (text := text_of(self.content(file))) is not None:
            return text
        raise ReferenceWithoutValue(
            f"the file `{file.name}` has no text: it is `{file.media_type}`",
            hint="Attach it: `attachments` of the agent.",
        )

    def copy(self, file: FileRef) -> str:
        if file not in self._copies:
            data = self.content(file)
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="llm-orc-files-"))
            place = self._folder / str(len(self._copies))
            place.mkdir(mode=0o700)
            path = place / file.name
            path.write_bytes(data)
            path.chmod(0o400)
            self._copies[file] = str(path)
        return self._copies[file]
