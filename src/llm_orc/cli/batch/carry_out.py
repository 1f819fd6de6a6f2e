"""Carry out a batch for a person or a program: consent, Ctrl-C, and how it ends."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TypeVar

from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.consent import say_cost, says_yes
from llm_orc.cli.shell.prompts import person_is_here
from llm_orc.cli.shell.stop_signals import HUNG_UP, INTERRUPTED, stopping
from llm_orc.cli.shell.streams import note
from llm_orc.errors import MeteredNotAllowed
from llm_orc.formats.figures import count
from llm_orc.net.event_loop import run_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.batches.carry_out import BatchOutcome
    from llm_orc.app.wiring import App

_T = TypeVar("_T")
_AT_ONCE_S = 3.0
_THREADS_END_S = 1.0


class Stopping:
    """The first Ctrl-C, SIGTERM or SIGHUP asks for an end in good order, the second one ends at once.

    Not a second SIGHUP: a terminal that goes away sends it, and its shell too.
    """

    def __init__(self, told: str) -> None:
        self.event = asyncio.Event()
        self.exit_code: int | None = None
        self._told = told
        self._task: asyncio.Task[object] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, in the task that is to be ended. On Windows Ctrl-C knows only the second way."""
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
            # Programs that we started are ended meanwhile; a store that is away is not waited for.
            late = threading.Timer(_AT_ONCE_S, leave, (self.exit_code,))
            late.daemon = True
            late.start()


def leave(exit_code: int) -> NoReturn:
    """End the process now: threads that wait for a server would hold it, and nothing is lost that is not kept."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(exit_code)


def leave_if_held(exit_code: int) -> None:
    """Leave where threads of the durable engine don't end by themselves."""
    deadline = time.monotonic() + _THREADS_END_S
    for thread in threading.enumerate():
        if thread.name.startswith("dbos-"):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                leave(exit_code)


def run_stoppable(work: Callable[[Stopping], Coroutine[object, object, _T]], told: str) -> tuple[_T | None, int]:
    """Run `work` to its end; returns what it returned, None where it was ended at once, and 0 or who ended it."""
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


def planned_with_consent(
    app: App,
    plan: Callable[[bool, Callable[[AccessPlan, int], None]], Coroutine[object, object, _T]],
    *,
    allow_metered: bool,
    quiet: bool,
) -> _T:
    """Plan and show it; where that needs a yes to metered calls, ask in a terminal, with what it may cost."""
    to_do, asking = 0, False

    def show(access: AccessPlan, rows: int) -> None:
        nonlocal to_do
        to_do = rows
        if not quiet or asking:
            for words in access_lines(access):
                note(words)

    try:
        return run_to_end(plan(allow_metered, show))
    except MeteredNotAllowed as refusal:
        if allow_metered or not person_is_here():
            raise
        say_cost(refusal)
        asking = True
        ready = run_to_end(plan(True, show))
        if not says_yes(app, refusal, count(to_do, "row")):
            raise
        return ready


def ended(outcome: BatchOutcome | None, exit_code: int, batch_id: str, store: str | None) -> int:
    """Say how the batch stands and what comes next; returns the exit code."""
    go_on = _command("resume", batch_id, store)
    if outcome is None:
        note(f"Stopped at once: calls under way may be made again. Go on with: {go_on}")
        return exit_code
    batch = outcome.progress.batch
    done = batch.total - batch.waiting - batch.counts.get("cancelled", 0)
    if outcome.stopped_by is not None:
        from llm_orc.cli.shell.exits import write_error

        note(
            f"Stopped with {done:,} of {count(batch.total, 'row')} done. What is done is kept. Go on with: {go_on}"
        )
        write_error(outcome.stopped_by)
        return outcome.stopped_by.exit_code
    if batch.state == "open":
        note(f"Paused with {done:,} of {count(batch.total, 'row')} done. Go on with: {go_on}")
        return exit_code or 1
    if batch.state == "cancelled":
        note(f"Cancelled with {done:,} of {count(batch.total, 'row')} done. Go on with: {go_on}")
        return exit_code or 1
    note(f"Results: {_command('results', batch_id, store)}")
    failed = batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)
    if failed > batch.unusable:
        asked = failed - batch.unusable
        note(f"Ask again for the {asked:,} that failed: {_command('retry-failed', batch_id, store)}")
    if batch.unusable:
        note(f"{count(batch.unusable, 'input')} could not be used; the results say why, with the line.")
    return 1 if failed else 0


def _command(verb: str, batch_id: str, store: str | None) -> str:
    words = ["llm-orc", "batch", verb, batch_id, *(["--store", store] if store else [])]
    return shlex.join(words)
