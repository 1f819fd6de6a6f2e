"""A run for a client: its events as they come, its end, and its cancellation when the client has gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.app.runs.request import RunListener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.app.serving.served import Served, ServedRequest
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.results import RunResult


class LiveRun:
    """A run that is under way: iterate over its events, then ask for its result."""

    def __init__(self, task: asyncio.Task[RunResult], events: asyncio.Queue[RunEvent | None]) -> None:
        self._task, self._events = task, events

    async def next(self, within_s: float | None = None) -> RunEvent | None:
        """Return the next event; None: there are no more. Raises `TimeoutError` if none comes in this time."""
        if within_s is None:
            return await self._events.get()
        async with asyncio.timeout(within_s):
            return await self._events.get()

    async def result(self) -> RunResult:
        """Return the result once the run has ended. Raises what it raised."""
        return await self._task


@asynccontextmanager
async def running(served: Served, request: ServedRequest, *, stream: bool) -> AsyncIterator[LiveRun]:
    """Start a run, and end it on the way out if it has not ended; what it has finished is in its record.

    `stream`: pieces of answers are among its events.
    """
    events: asyncio.Queue[RunEvent | None] = asyncio.Queue()
    listener = RunListener(events.put_nowait, stream=stream)

    async def run() -> RunResult:
        try:
            return await served.run(request, listener)
        finally:
            events.put_nowait(None)

    task = asyncio.create_task(run(), name="served run")
    try:
        yield LiveRun(task, events)
    finally:
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
