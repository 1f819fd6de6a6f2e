"""Write answers to standard output while agents work: a slow or stalled reader delays no agent."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from llm_orc.cli.shell.output.streams import is_terminal
from llm_orc.cli.shell.process.standard_streams import deliver

if TYPE_CHECKING:
    from collections.abc import Callable


class DataWriter(Protocol):
    """Takes printable data. `failure` says why nothing more can be delivered; None: it can."""

    failure: OSError | None

    def write(self, text: str) -> None:
        """Write the text, now or soon. Never raises: `failure` reports what can't be written."""
        ...

    async def drained(self) -> None:
        """Wait until everything is written, or can't be."""
        ...


def stdout_writer(failed: Callable[[], None]) -> DataWriter:
    """Return the writer of standard output: direct for a person's terminal, otherwise in the background."""
    return TerminalWriter(failed) if is_terminal(sys.stdout) else BackgroundWriter(failed)


class TerminalWriter:
    """`failed` is called if the terminal is gone."""

    def __init__(self, failed: Callable[[], None]) -> None:
        self.failure: OSError | None = None
        self._failed = failed

    def write(self, text: str) -> None:
        if self.failure is None:
            try:
                deliver(text)
            except OSError as e:
                self.failure = e
                self._failed()

    async def drained(self) -> None:
        return


class BackgroundWriter:
    """Use it in one event loop: `write` as often as needed, then await `drained`.

    `failed` is called once, in the loop, if standard output accepts no more (its reader is gone, the disk is
    full); `failure` says why, and later writes are dropped.
    """

    def __init__(self, failed: Callable[[], None]) -> None:
        self.failure: OSError | None = None
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[str] = deque()
        self._wake = threading.Semaphore(0)
        self._is_asked = False  # the thread is notified at most once per turn of the loop
        self._under_way = 0  # texts handed over and not yet written
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        # A daemon thread: waiting for a reader must not keep the program from ending.
        threading.Thread(target=self._write_all, name="standard output", daemon=True).start()

    def write(self, text: str) -> None:
        if self.failure is not None:
            return
        self._waiting.append(text)
        self._under_way += 1
        self._is_empty.clear()
        if not self._is_asked:
            self._is_asked = True
            self._loop.call_soon(self._hand_over)

    async def drained(self) -> None:
        await self._is_empty.wait()

    def _hand_over(self) -> None:
        self._is_asked = False
        self._wake.release()

    def _write_all(self) -> None:
        while True:
            self._wake.acquire()
            texts = [self._waiting.popleft() for _ in range(len(self._waiting))]
            failure: OSError | None = None
            try:
                deliver("".join(texts))
            except OSError as e:
                failure = e
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
                self._loop.call_soon_threadsafe(self._written, len(texts), failure)
            if failure is not None:
                return

    def _written(self, texts: int, failure: OSError | None) -> None:
        self._under_way -= texts
        if failure is not None:
            self.failure = failure
            self._under_way = 0
            self._failed()
        if not self._under_way:
            self._is_empty.set()
