"""One child process that talks in lines: started in its own group, and ended with all of it however we leave."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LONGEST_LINE = 64 * 1024 * 1024  # bytes; a whole answer comes in one line
_KEPT_OF_STDERR = 4096  # bytes
# How a pipe says that nobody reads it; uvloop, once it has closed the pipe by itself, with the last.
_GONE = (BrokenPipeError, ConnectionResetError, RuntimeError)
_GRACE_S = 1.0  # between asking it to end and ending it


class LineTooLong(Exception):
    """The child wrote more than `LONGEST_LINE` bytes without a newline."""


class Child:
    """A started process. Whoever starts one calls `stop`, which never raises and may be called twice."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._complaints = bytearray()
        self._drain = asyncio.create_task(self._read_stderr(), name=f"stderr of {process.pid}")

    @classmethod
    async def start(cls, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> Child:
        """Raise `OSError` where it can't be started."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            limit=LONGEST_LINE,
            start_new_session=sys.platform != "win32",  # a group of its own: Ctrl-C reaches us alone
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def send(self, text: bytes, *, is_last: bool = False) -> None:
        """Write to its standard input; what it no longer reads is lost, and its output tells why."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(*_GONE):
            stdin.write(text)
            await stdin.drain()
        if is_last:
            self._close_stdin()

    async def line(self) -> bytes | None:
        """Return its next line, None after the last. Raises `LineTooLong`."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError:
            raise LineTooLong from None
        return line or None

    async def complaint(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and the end of what it wrote to standard error, printable."""
        code = await self._process.wait()
        await self._drain
        return code, one_line(self._complaints.decode("utf-8", "replace"))

    async def stop(self) -> None:
        """End it and all that it started. Goes on to its end even where the caller is cancelled meanwhile."""
        await asyncio.shield(asyncio.ensure_future(self._stop()))

    async def _stop(self) -> None:
        self._close_stdin()
        if self.is_alive:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_S):
                    await self._process.wait()
        self.kill()
        await self._process.wait()
        self._drain.cancel()
        with suppress(asyncio.CancelledError):
            await self._drain

    def kill(self) -> None:
        """End it at once, without waiting; what it started in its group ends too."""
        self._signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

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
        while piece := await self._process.stderr.read(8192):
            self._complaints += piece
            del self._complaints[:-_KEPT_OF_STDERR]
