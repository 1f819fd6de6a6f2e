"""An event loop that starts when it is first needed: commands that find no server to ask need none.

asyncio, with ssl and what else it imports, is a seventh of all instructions of such a command.
"""

from __future__ import annotations

import sys
from types import coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

P = ParamSpec("P")
T = TypeVar("T")

_START = object()  # what `start_loop` asks of `run_late`


def run_late(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end as `asyncio.run` does, but without a loop until it awaits `start_loop`.

    Until then, `main` may await only coroutines that need none, and `in_thread`.
    """
    try:
        asked = main.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    assert asked is _START
    from asyncio import run  # noqa: PLC0415 - heavy

    return run(_rest_of(main))


@coroutine
def start_loop() -> Generator[object, None, None]:
    """Await this before anything that needs an event loop. Does nothing if one runs."""
    if not _loop_runs():
        yield _START


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a thread, so that the event loop doesn't wait for it; without a loop, call it here."""
    if not _loop_runs():
        return call(*args, **kwargs)
    from asyncio import to_thread  # noqa: PLC0415 - heavy

    return await to_thread(call, *args, **kwargs)


def _loop_runs() -> bool:
    if "asyncio" not in sys.modules:
        return False
    from asyncio import _get_running_loop  # noqa: PLC0415 - heavy

    return _get_running_loop() is not None


async def _rest_of(main: Coroutine[Any, Any, T]) -> T:
    return await _resumed(main)


@coroutine
def _resumed(main: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Go on with a coroutine that has begun, which `await` refuses to do."""
    ended: T = yield from main
    return ended
