"""SIGTERM and SIGHUP end a command in good order: it cleans up, and what is stored stays stored.

A signal that the parent process set to be ignored stays ignored, as `nohup` does with SIGHUP.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
HUNG_UP = 129  # 128 + SIGHUP, which Windows doesn't have

_NUMBERS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
_WORDS = {INTERRUPTED: "Ctrl-C", TERMINATED: "SIGTERM", HUNG_UP: "SIGHUP"}


class Ended(SystemExit):
    """A signal asks the process to end; `code` is its exit code. Context managers clean up on the way out."""


class _Answer:
    """What a signal does at the moment. None: it ends the command at once."""

    call: Callable[[int], None] | None = None


def stopped_by(exit_code: int) -> str:
    """Return the name of the signal that stopped the program."""
    return _WORDS.get(exit_code, "a signal")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Handle the signals for a whole command. Outside the main thread none arrives."""
    ours: list[int] = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in _NUMBERS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _on_signal)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stopping(stop: Callable[[int], None]) -> Iterator[None]:
    """Let the signals call `stop` in the running event loop, with the exit code, instead of ending the command."""
    from asyncio import get_running_loop

    loop, before = get_running_loop(), _Answer.call

    def call(exit_code: int) -> None:
        loop.call_soon_threadsafe(stop, exit_code)

    _Answer.call = call
    try:
        with ended_by_signals():
            yield
    finally:
        _Answer.call = before


def _on_signal(number: int, _frame: FrameType | None) -> None:
    if _Answer.call is None:
        raise Ended(128 + number)
    _Answer.call(128 + number)
