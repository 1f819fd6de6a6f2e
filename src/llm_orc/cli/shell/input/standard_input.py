"""Read what is piped in, without hanging on a pipe that nobody writes to and without losing what comes late."""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

from llm_orc.cli.shell.input.pipe_ends import has_neighbour_that_writes, was_inherited
from llm_orc.cli.shell.output.streams import is_terminal, note
from llm_orc.cli.shell.process.standard_streams import give_up_stdin
from llm_orc.errors import InputError

STANDARD_INPUT = "standard input"
STDIN = "-"  # its name on the command line
_CHUNK = 1 << 16
_PIECE_S = 0.5
PATIENCE_S = 3.0  # for the first bytes of a pipe whose writer is unknown; as long as `claude -p` waits


def read_standard_input(most: int) -> bytes:
    """Wait for all of standard input, which was asked for; the result is longer than `most` if there is more.

    What asks after that whether something is piped in hears no. Raises `InputError` if it can't be read.
    """
    if is_terminal(sys.stdin):
        keys = "Ctrl-Z and Enter end it" if os.name == "nt" else "Ctrl-D ends it"
        note(f"Reading standard input from the terminal; {keys}.")
    data = _Reader(most).read(None) or b""
    if may_be_piped():
        give_up_stdin()
    return data


def read_piped(most: int, otherwise: str | None, *, patience_s: float = PATIENCE_S) -> bytes | None:
    """Return what is piped in; None: there is no input.

    A terminal, the null device and a closed standard input are no input. Neither is what a job as a whole was
    started with, if it is empty: `cron` and CI runners give every job an empty pipe. A pipe that stays silent is
    waited for while a program beside this one can write to it; otherwise it is inherited (ssh, editors), and given
    up after `patience_s`. `otherwise` is what the command goes on with then, in words; None: there is nothing, so
    the pipe is waited for. Raises `InputError` if standard input can't be read.
    """
    if not may_be_piped():
        return None
    reader = _Reader(most)
    data = reader.read(patience_s)
    if data is None:
        if otherwise is not None and not has_neighbour_that_writes():
            note(f"Nothing has arrived on standard input: going on with {otherwise} (`-f -` waits for it).")
            return None
        note("Waiting for standard input… (`< /dev/null` if there is none)")
        data = reader.read(None) or b""
    if not data.strip() and otherwise is not None and was_inherited():
        note(f"Standard input is an empty pipe that this job was started with: going on with {otherwise}.")
        return None
    return data


def may_be_piped() -> bool:
    """True for a pipe, a socket or a file; false for a terminal, the null device and a closed standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return not stat.S_ISCHR(mode)


class _Reader:
    """Reads in a separate thread: nothing else can stop waiting on every platform.

    It reads the descriptor: `sys.stdin` has a lock, which a thread that is still waiting when the program ends
    would hold.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._chunks: SimpleQueue[bytes | OSError] = SimpleQueue()
        threading.Thread(target=self._pump, name="standard input", daemon=True).start()

    def _pump(self) -> None:
        size = 0
        try:
            while size <= self._most:
                chunk = _read_chunk()
                self._chunks.put(chunk)
                size += len(chunk)
                if not chunk:
                    return
            self._chunks.put(b"")
        except OSError as e:
            self._chunks.put(e)

    def read(self, first_within_s: float | None) -> bytes | None:
        """Return everything, or a little more than `most`; None if nothing arrived in time."""
        try:
            chunk = self._next() if first_within_s is None else self._chunks.get(timeout=first_within_s)
        except Empty:
            return None
        data = bytearray()
        while chunk:
            if isinstance(chunk, OSError):
                raise InputError(f"can't read standard input: {chunk.strerror or chunk}")
            data += chunk
            chunk = self._next()
        return bytes(data)

    def _next(self) -> bytes | OSError:
        """Wait in pieces: on Windows, Ctrl-C doesn't interrupt an endless wait."""
        while True:
            with suppress(Empty):
                return self._chunks.get(timeout=_PIECE_S)


def _read_chunk() -> bytes:
    while True:
        try:
            return os.read(0, _CHUNK)
        except BlockingIOError:  # a pipe that another program has made non-blocking
            from select import select

            select([0], [], [])
