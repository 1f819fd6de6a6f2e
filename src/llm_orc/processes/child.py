"""A child process that writes messages: started in its own group, which is ended however we exit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.net.text import one_line
from llm_orc.processes.death import GUARD, dying_with_us
from llm_orc.processes.framing import LINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from llm_orc.processes.framing import Framing

LONGEST_LINE = 16 * 1024 * 1024  # bytes; a whole answer is one line
_MOST_LINES = 1_000_000  # in one turn: each takes some microseconds
_PIECE = 64 * 1024
_KEPT_OF_STDERR = 4096  # bytes
# The errors of a pipe without a reader; the last is uvloop's after it has closed the pipe.
_GONE = (BrokenPipeError, ConnectionResetError, RuntimeError)
_GRACE_S = 1.0  # between SIGTERM and SIGKILL
_END_S = 5.0  # until a killed process is gone
_LOOK_S = 0.5  # how often we check that it is alive while its output is silent


class TooMuchOutput(Exception):
    """The child wrote a longer line, or more in total, than one answer may have."""


class Child:
    """A started process. Its starter calls `stop`, which never raises and may be called twice.

    Its own child processes may hold its pipes open: we wait for the process, not for the pipes.
    """

    def __init__(self, process: asyncio.subprocess.Process, most_bytes: int, framing: Framing) -> None:
        self._process, self._framing = process, framing
        self._most = most_bytes
        self._pending = bytearray()  # of an incomplete message
        self._searched = 0  # bytes of it so far
        self._written = self._lines = 0  # bytes and messages since the turn began
        self._complaints = bytearray()
        self._is_flooding = False
        self._reading: asyncio.Task[bytes] | None = None  # outlives a caller that is cancelled or out of time
        self._drain = asyncio.create_task(self._read_stderr(), name=f"stderr of {process.pid}")

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        most_bytes: int,
        dies_with_us: bool = True,
        framing: Framing = LINES,
    ) -> Child:
        """Start it. Raises `OSError` if that fails. `most_bytes`: what it may write in one turn."""
        if dies_with_us:
            GUARD.get_ready()
        wrapped = (*dying_with_us(), *argv) if dies_with_us else argv
        process = await asyncio.create_subprocess_exec(
            *wrapped,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            limit=_PIECE,
            start_new_session=sys.platform != "win32",  # its own group: Ctrl-C only reaches us
        )
        if dies_with_us:
            GUARD.add(process.pid)
        return cls(process, most_bytes, framing)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def send(self, text: bytes, *, is_last: bool = False) -> None:
        """Start a turn: write to its standard input. What it no longer reads is lost; its output says why."""
        self._written = self._lines = 0
        await self.write(text)
        if is_last:
            self._close_stdin()

    async def write(self, text: bytes) -> None:
        """Write to its standard input within a turn."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(*_GONE):
            stdin.write(text)
            await stdin.drain()

    async def line(self) -> bytes | None:
        """Return its next line, or the content of its next message if they have headers; None after the last.

        A call that is cancelled loses nothing: the next one returns that line. Raises `TooMuchOutput`.
        """
        while True:
            end = self._framing.end_of_first(self._pending, self._searched)
            if end:
                return self._framing.body(self._taken(end))
            self._searched = len(self._pending)
            piece = await self._piece()
            if self._searched + len(piece) > LONGEST_LINE:
                raise TooMuchOutput
            if not piece:
                return self._taken(len(self._pending)) or None
            self._pending += piece

    async def rest(self) -> bytes:
        """Return everything that it writes until it ends. Raises `TooMuchOutput`."""
        while piece := await self._piece():
            self._pending += piece
        return self._taken(len(self._pending))

    async def wait(self) -> int:
        """Wait until it ends, however long that takes; return its exit code.

        Raises `TooMuchOutput` if it was ended for what it wrote to its standard error.
        """
        await self._ends_within(None)
        code = await self.end()
        if self._is_flooding:
            raise TooMuchOutput
        return code

    async def end(self) -> int:
        """Wait a moment until it ends, or end it; return its exit code."""
        if not await self._ends_within(_GRACE_S * 2):
            await self.stop()
        await asyncio.wait({self._drain}, timeout=_LOOK_S)
        return -signal.SIGKILL if self._process.returncode is None else self._process.returncode

    @property
    def stderr(self) -> str:
        """The last part of its standard error so far."""
        return self._complaints.decode("utf-8", "replace")

    async def complaint(self) -> tuple[int, str]:
        """Wait until it ends; return its exit code and the last part of its standard error, printable."""
        code = await self.end()
        return code, one_line(self.stderr)

    async def stop(self) -> None:
        """End it and its child processes. Completes even if the caller is cancelled meanwhile."""
        await asyncio.shield(asyncio.ensure_future(self._stop()))

    async def _stop(self) -> None:
        self._close_stdin()
        if self.is_alive:
            self._signal(signal.SIGTERM)
            await self._ends_within(_GRACE_S)
        self.kill()
        await self._ends_within(_END_S)
        GUARD.remove(self.pid)
        readers = [reader for reader in (self._drain, self._reading) if reader is not None]
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        # If something else still holds its pipes, our ends would stay open.
        self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - no public name for it

    def kill(self) -> None:
        """End it at once, without waiting; its process group ends too."""
        self._signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    async def _ends_within(self, limit_s: float | None) -> bool:
        """Poll its exit code: some event loops also wait for its pipes, which others may hold."""
        waiting = asyncio.ensure_future(self._process.wait())
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self.is_alive and not (await asyncio.wait({waiting}, timeout=_LOOK_S))[0]:
                    pass
        waiting.cancel()
        return not self.is_alive

    def _taken(self, end: int) -> bytes:
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise TooMuchOutput
        line = bytes(memoryview(self._pending)[:end])
        del self._pending[:end]
        self._searched = 0
        return line

    async def _piece(self) -> bytes:
        """Return its next output, nothing after it has ended: a pipe that others hold has no end.

        Raises `TooMuchOutput`.
        """
        assert self._process.stdout is not None
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._process.stdout.read(_PIECE))
        was_alive = True
        while not (await asyncio.wait({self._reading}, timeout=_LOOK_S))[0]:
            if not (was_alive or self.is_alive):
                return b""
            was_alive = self.is_alive
        if self._reading.cancelled():  # by `stop`
            return b""
        piece, self._reading = self._reading.result(), None
        self._written += len(piece)
        if self._is_flooding or self._written > self._most:
            raise TooMuchOutput
        return piece

    def _close_stdin(self) -> None:
        assert self._process.stdin is not None
        with suppress(*_GONE):
            self._process.stdin.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.terminate()
            else:
                os.killpg(self._process.pid, number)

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        read = 0
        while piece := await self._process.stderr.read(_PIECE):
            self._complaints += piece
            del self._complaints[:-_KEPT_OF_STDERR]
            read += len(piece)
            if read > self._most:
                self._is_flooding = True
                self.kill()
                return
