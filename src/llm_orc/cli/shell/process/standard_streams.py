"""Make the three standard streams safe to use, even if they are closed, full or unread.

A file that is opened while a standard descriptor is closed would get its number, and messages would then be
written into it. So `hold_standard_streams` runs before anything else is opened.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import time
from typing import cast

READER_GONE = 141  # 128 + SIGPIPE, as shells report a program whose reader is gone

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_PIECE = 512  # bytes that POSIX writes to a pipe atomically, so that a pipe with room never blocks (PIPE_BUF)
_PATIENCE_S = 2.0  # how long a message waits for a slow reader of standard error


def hold_standard_streams() -> None:
    """Open the null device on each closed standard descriptor, and make standard error never fail.

    Writing to a closed standard output raises `BrokenPipeError`, as if its reader were gone.
    """
    is_missing = [not _is_open(descriptor) for descriptor in (_STDIN, _STDOUT, _STDERR)]
    for descriptor, missing in enumerate(is_missing):
        if missing:
            _open_null_as(descriptor)
    if sys.stdin is None:
        sys.stdin = open(_STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    if sys.stdout is None or is_missing[_STDOUT]:
        sys.stdout = io.TextIOWrapper(_NoReader(), encoding="utf-8", write_through=True)
    if sys.stderr is None or os.name == "posix":
        raw = io.BufferedWriter(_NeverFails(_STDERR), _PIECE * 16)
        sys.stderr = io.TextIOWrapper(raw, encoding=_encoding_of(sys.stderr), line_buffering=True)


def deliver(text: str) -> None:
    """Write all of `text` to standard output, or raise `OSError`.

    It bypasses Python's buffer, whose lock a thread that waits for a reader would hold until the process ends.
    """
    stream = sys.stdout
    stream.flush()
    if not isinstance(stream, io.TextIOWrapper):  # a test's, or an embedding program's
        stream.write(text)
        return
    raw = cast("io.RawIOBase", getattr(stream.buffer, "raw", stream.buffer))
    left = memoryview(text.encode(stream.encoding, stream.errors or "strict"))
    while left.nbytes:
        written = raw.write(left)
        if written is None:  # a non-blocking pipe that another program shares with us
            _wait_for_room(raw.fileno())
        left = left[written or 0 :]


def _wait_for_room(descriptor: int) -> None:
    from select import select

    select([], [descriptor], [])


def give_up_stdin() -> None:
    """Put the null device in place of a standard input that has been read."""
    with contextlib.suppress(OSError):
        _open_null_as(_STDIN)


def give_up_stdout(failure: OSError) -> int:
    """Return the exit code of a command whose data can't be delivered: 141 without a reader, 1 on a full disk.

    The rest of the buffer goes to the null device: Python's last flush would fail too.
    """
    with contextlib.suppress(OSError):
        _open_null_as(_STDOUT)
    return READER_GONE if isinstance(failure, BrokenPipeError) else 1


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _open_null_as(descriptor: int) -> None:
    """Replace `descriptor` by the null device, whether it is open or not."""
    opened = os.open(os.devnull, os.O_RDONLY if descriptor == _STDIN else os.O_WRONLY)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)


def _encoding_of(stream: io.TextIOBase | object | None) -> str:
    """Return the encoding that Python chose for the terminal; elsewhere `prepare_streams` sets UTF-8."""
    return stream.encoding if isinstance(stream, io.TextIOWrapper) else "utf-8"


class _NoReader(io.RawIOBase):
    """A closed standard output."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return _STDOUT

    def write(self, data: object, /) -> int:
        raise BrokenPipeError(errno.EPIPE, "standard output is closed")


class _NeverFails(io.RawIOBase):
    """Standard error: what can't be written is dropped, because messages must not decide how a run ends.

    A stalled reader is waited for once, for two seconds; after that, what finds no room is dropped.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)  # a person who pressed Ctrl-S is waited for
        self._patience_s = _PATIENCE_S

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, data: object, /) -> int:
        left = memoryview(data).cast("B")  # type: ignore[arg-type]
        size = left.nbytes
        try:
            while left.nbytes and (self._is_terminal or self._has_room()):
                left = left[os.write(self._descriptor, left if self._is_terminal else left[:_PIECE]) :]
        except OSError:
            return size
        return size

    def _has_room(self) -> bool:
        """Wait until a piece can be written without blocking; False if there is no room in time."""
        from select import select

        began = time.monotonic()
        _, ready, _ = select([], [self._descriptor], [], self._patience_s)
        self._patience_s = max(0.0, self._patience_s - (time.monotonic() - began)) if ready else 0.0
        return bool(ready)
