"""Go through the files below a folder: without links, ignored files and, in the end, without limit of time."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from llm_orc.agents.tool_sources.files.ignored import Ignored, is_ignored, read_ignored
from llm_orc.agents.tool_sources.glob import expand, matches
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.storage.below.read import Entry, Folder

Parts = tuple[str, ...]
_MOST_LOOKED_AT = 200_000  # files and folders
_MOST_DEPTH = 60
_LIMIT_S = 20.0
_LONGEST_IGNORE_FILE = 200_000  # bytes


class Walk:
    """The files below a folder, each folder's before those of its folders.

    `why_ended` says after the iteration why there may be more; empty: those were all.
    """

    def __init__(self, folder: Folder, start: Parts, glob: str = "", *, ignored: bool = False) -> None:
        """`glob` is a pattern of the files, relative to `start`; `ignored`: also those of `.gitignore`."""
        self._folder, self._start, self._patterns = folder, start, expand(glob) if glob else ()
        self._all = ignored
        self._ends_at = monotonic() + _LIMIT_S
        self._looked_at = 0
        self.why_ended = ""

    def __iter__(self) -> Iterator[tuple[Parts, Entry]]:
        above = [found for i in range(len(self._start)) if (found := self._rules(self._start[:i])) is not None]
        left: list[tuple[Parts, Sequence[Ignored]]] = [(self._start, above)]
        while left:
            place, rules = left.pop()
            try:
                entries = self._folder.entries(place)
            except StorageError:
                if place == self._start:
                    raise
                continue
            own = self._rules(place) if any(entry.name == ".gitignore" for entry in entries) else None
            known = rules if own is None else (*rules, own)
            below = []
            for entry in entries:
                self._looked_at += 1
                parts = (*place, entry.name)
                if self._must_end():
                    return
                is_folder = entry.kind == "folder"
                if not self._all and is_ignored(parts, known, is_folder=is_folder):
                    continue
                if is_folder and len(parts) < _MOST_DEPTH:
                    below.append((parts, known))
                elif entry.kind == "file" and self._wants(parts):
                    yield parts, entry
            left += reversed(below)

    def _must_end(self) -> bool:
        if self._looked_at > _MOST_LOOKED_AT:
            self.why_ended = f"it ended after {_MOST_LOOKED_AT:,} files"
        elif monotonic() > self._ends_at:
            self.why_ended = f"it ended after {_LIMIT_S:g} s"
        return bool(self.why_ended)

    def _wants(self, parts: Parts) -> bool:
        below = parts[len(self._start) :]
        return not self._patterns or any(matches(pattern, below) for pattern in self._patterns)

    def _rules(self, place: Parts) -> Ignored | None:
        if self._all:
            return None
        try:
            with self._folder.file((*place, ".gitignore")) as opened:
                text = opened.read(_LONGEST_IGNORE_FILE).decode("utf-8", "replace")
        except (StorageError, OSError):
            return None
        return read_ignored(len(place), text)
