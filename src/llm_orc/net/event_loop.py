"""The event loop for a program that has none."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_T = TypeVar("_T")


def run_to_end(main: Coroutine[Any, Any, _T]) -> _T:
    """Run `main` on a new loop, uvloop's if it is installed. Raises what `main` raises.

    For work that sends many requests. A few are done sooner on Python's own loop, with `asyncio.run`: uvloop takes
    time to load.
    """
    with _seldom_full_collection(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def in_event_loop() -> bool:
    """Say whether this is called where an event loop runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _seldom_full_collection() -> Iterator[None]:
    """Look at all objects for garbage a fifth as often as Python does.

    Of 1,000 agents under way at once, each has a hundred objects, and all are needed until their answers come:
    to look at them again and again costs half as much as all else that is done for them.
    """
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 50)  # Python's own are 700, 10 and 10
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
