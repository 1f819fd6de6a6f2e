"""Read lines of a file: bounded in bytes and lines, however large the file and its lines are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MOST_LINES = 2000
MOST_CHARACTERS = 40_000  # of one answer
LONGEST_LINE = 2000  # characters that are shown of one
MOST_BYTES = 64 * 1024 * 1024  # that are gone through
_PIECE = 64 * 1024
_LOOKED_AT = 8192  # bytes, to see whether it is text


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a text, the first of them number `first`, counted from 1; `more`: others follow."""

    first: int
    lines: tuple[str, ...]
    more: bool


def read_lines(file: BinaryIO, path: str, offset: int, limit: int) -> Lines:
    """Return at most `limit` lines from line `offset`. Raises `StorageError` if it is no text, or too large."""
    refuse_binary(file, path)
    lines: list[str] = []
    length = number = 0
    for number, line in enumerate(text_lines(file, path), 1):
        if number < offset:
            continue
        if len(lines) >= min(limit, MOST_LINES) or (lines and length + len(line) > MOST_CHARACTERS):
            return Lines(offset, tuple(lines), more=True)
        lines.append(line)
        length += len(line) + 1
    if not lines and offset > 1:
        raise StorageError(f"`{path}` has {number} lines; there is no line {offset}")
    return Lines(offset, tuple(lines), more=False)


def refuse_binary(file: BinaryIO, path: str) -> None:
    """Raise `StorageError` if the file is no text; it is read from its start after that."""
    if b"\0" in file.read(_LOOKED_AT):
        raise StorageError(f"`{path}` is no text: it is a binary file")
    file.seek(0)


def text_lines(file: BinaryIO, path: str) -> Iterator[str]:
    """Yield the lines, shortened, from a piece of the file at a time. Raises `StorageError` if it is too large."""
    read = 0
    pending = b""
    is_first = True
    skipped = 0  # bytes of a long line that are not kept
    while piece := file.read(_PIECE):
        read += len(piece)
        if read > MOST_BYTES:
            raise StorageError(f"`{path}` goes on after {MOST_BYTES // 1024**2} MB, which is as far as it is read")
        *whole, pending_now = (pending + piece).split(b"\n")
        for line in whole:
            yield _shown(line, skipped, is_first=is_first)
            is_first, skipped = False, 0
        pending = pending_now
        if len(pending) > LONGEST_LINE * 4:
            skipped += len(pending) - LONGEST_LINE * 4
            pending = pending[: LONGEST_LINE * 4]
    if pending:
        yield _shown(pending, skipped, is_first=is_first)


def _shown(line: bytes, skipped: int, *, is_first: bool) -> str:
    text = line.decode("utf-8-sig" if is_first else "utf-8", "replace").removesuffix("\r")
    if len(text) <= LONGEST_LINE and not skipped:
        return text
    return f"{text[:LONGEST_LINE]}… [the line is longer]"
