"""How work that goes on and on is stopped: the first signal stops it in good order, the second one at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TypeVar

from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.process.stop_signals import HUNG_UP, INTERRUPTED, stopping
from llm_orc.net.event_loop import run_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_T = TypeVar("_T")
_AT_ONCE_S = 3.0
_THREADS_END_S = 1.0


class Stopping:
    """The first Ctrl-C, SIGTERM or SIGHUP requests an orderly end, the second one ends at once.

    A second SIGHUP doesn't: a terminal that closes sends one, and its shell another.
    """

    def __init__(self, told: str) -> None:
        self.event = asyncio.Event()
        self.exit_code: int | None = None
        self._told = told
        self._task: asyncio.Task[object] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, in the task that is to be ended. On Windows, Ctrl-C always ends at once."""
        self._task = asyncio.current_task()
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._stop, INTERRUPTED)
        with stopping(self._stop):
            yield

    def _stop(self, exit_code: int) -> None:
        if self.exit_code is None:
            self.exit_code = exit_code
            self.event.set()
            note(f"\n{self._told}")
        elif self._task is not None and exit_code != HUNG_UP:
            self._task.cancel()
            # Child processes are ended meanwhile; an unreachable store is not waited for.
            late = threading.Timer(_AT_ONCE_S, leave, (self.exit_code,))
            late.daemon = True
            late.start()


def leave(exit_code: int) -> NoReturn:
    """End the process now: threads that wait for a server would delay it, and everything to keep is stored."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(exit_code)


def leave_if_held(exit_code: int) -> None:
    """Leave if threads of the durable engine don't end by themselves."""
    deadline = time.monotonic() + _THREADS_END_S
    for thread in threading.enumerate():
        if thread.name.startswith("dbos-"):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                leave(exit_code)


def run_stoppable(work: Callable[[Stopping], Coroutine[object, object, _T]], told: str) -> tuple[_T | None, int]:
    """Run `work`; return its result (None if it was ended at once), and 0 or the exit code of what ended it."""
    asked: Stopping | None = None

    async def main() -> _T:
        nonlocal asked
        asked = Stopping(told)
        with asked.listening():
            return await work(asked)

    try:
        result = run_to_end(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None, (asked.exit_code if asked else None) or INTERRUPTED
    return result, (asked.exit_code if asked else None) or 0
