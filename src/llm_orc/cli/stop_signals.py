"""Being told to end: by SIGTERM, or by SIGHUP where the terminal has gone away."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from llm_orc.cli.exits import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable

TERMINATED = 143  # 128 + SIGTERM
HUNG_UP = 129  # 128 + SIGHUP


def when_told_to_end(end: Callable[[int], None]) -> None:
    """Call `end` with the exit code on each of these signals, within the running loop.

    A SIGHUP that we were started to ignore, as by `nohup`, stays ignored.
    """
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end, TERMINATED)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, end, HUNG_UP)


def cause_of(exit_code: int) -> str:
    """Return what a person knows the signal behind `exit_code` by."""
    return {INTERRUPTED: "Ctrl-C", HUNG_UP: "SIGHUP"}.get(exit_code, "SIGTERM")
