"""Carry out a batch for a person or a program: consent, Ctrl-C, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.app.library import run_to_end
from llm_orc.cli.exits import INTERRUPTED, TERMINATED
from llm_orc.cli.streams import is_terminal, note
from llm_orc.errors import MeteredNotAllowed
from llm_orc.formats.figures import count

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llm_orc.app.batch import BatchOutcome

_T = TypeVar("_T")


class Stopping:
    """The first Ctrl-C or SIGTERM asks for an end in good order, the second one ends at once."""

    def __init__(self, told: str) -> None:
        self.event = asyncio.Event()
        self.exit_code: int | None = None
        self._told = told
        self._task: asyncio.Task[object] | None = None

    def install(self) -> None:
        """Begin to listen, in the task that is to be ended. Windows knows only the second way."""
        self._task = asyncio.current_task()
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, self._stop, INTERRUPTED)
            loop.add_signal_handler(signal.SIGTERM, self._stop, TERMINATED)

    def _stop(self, exit_code: int) -> None:
        if self.exit_code is None:
            self.exit_code = exit_code
            self.event.set()
            note(f"\n{self._told}")
        elif self._task is not None:
            self._task.cancel()


def run_stoppable(work: Callable[[Stopping], Coroutine[object, object, _T]], told: str) -> tuple[_T | None, int]:
    """Run `work` to its end; returns what it returned, None where it was ended at once, and 0 or who ended it."""
    stopping: Stopping | None = None

    async def main() -> _T:
        nonlocal stopping
        stopping = Stopping(told)
        stopping.install()
        return await work(stopping)

    try:
        result = run_to_end(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None, (stopping.exit_code if stopping else None) or INTERRUPTED
    return result, (stopping.exit_code if stopping else None) or 0


def with_consent(start: Callable[[bool], _T], *, allow_metered: bool) -> _T:
    """Start; where that needs a yes to metered calls, ask for it in a terminal and start again."""
    try:
        return start(allow_metered)
    except MeteredNotAllowed as refusal:
        if allow_metered or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
            raise
        note(f"This would cost money: {refusal.message}.")
        if not click.confirm("Go on, and pay for the tokens of this batch?", default=False, err=True):
            raise
    return start(True)


def ended(outcome: BatchOutcome | None, exit_code: int, go_on: str, batch_id: str) -> int:
    """Say how the batch stands and what comes next; returns the exit code."""
    if outcome is None:
        note(f"Stopped at once: calls under way may be made again. Go on with: {go_on}")
        return exit_code
    batch = outcome.progress.batch
    if outcome.stopped_by is not None:
        from llm_orc.cli.exits import write_error

        note(f"Stopped with {outcome.progress.ended:,} of {batch.total:,} rows done. What is done is kept.")
        write_error(outcome.stopped_by)
        return outcome.stopped_by.exit_code
    if batch.state == "open":
        note(f"Paused with {outcome.progress.ended:,} of {batch.total:,} rows done. Go on with: {go_on}")
        return exit_code or 1
    note(f"Results: llm-orc batch results {batch_id}")
    failed = batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)
    if failed > batch.unusable:
        asked = failed - batch.unusable
        note(f"Ask again for the {asked:,} that failed: llm-orc batch retry-failed {batch_id}")
    if batch.unusable:
        note(f"{count(batch.unusable, 'input')} could not be used; the results say why, with the line.")
    return 1 if failed or batch.state == "cancelled" else 0
