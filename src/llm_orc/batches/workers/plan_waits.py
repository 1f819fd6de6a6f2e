"""Rows that wait for a plan: they go back to their queue until it resets, and hold no place meanwhile."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.batches.database import in_store
from llm_orc.batches.plan_waits import note_wait
from llm_orc.batches.workers.queues import delay

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.batches.workers.in_flight import InFlight
    from llm_orc.batches.workers.worker_store import WorkerStore
    from llm_orc.providers.limits.plans import UsedUp

_POLL_S = 0.02


class PlanWaits:
    """Sets rows aside, and agents on queues of their own. `failed` gets what prevents that."""

    def __init__(
        self,
        store: WorkerStore,
        in_flight: InFlight,
        now: Callable[[], float],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._store, self._in_flight, self._now, self._failed = store, in_flight, now, failed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def set_aside(self, name: str, until: float, used_up: UsedUp | None = None) -> None:
        """Put the workflow back as soon as nothing of it is in progress; its other agents finish before.

        Nothing takes it off its queue before `until` (Unix seconds). `used_up` is new to the store.
        """
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._set_aside(name, until, used_up))

    async def settled(self) -> None:
        """Return when nothing is on its way back."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _set_aside(self, name: str, until: float, used_up: UsedUp | None) -> None:
        store = self._store
        try:
            if used_up is not None:
                batch_id = name.partition(":")[0]
                await in_store(partial(note_wait, store.engine, batch_id, used_up, self._now()))
            while not self._in_flight.is_idle(name):  # noqa: ASYNC110 - many things end it, as in `settled`
                await asyncio.sleep(_POLL_S)
            await asyncio.gather(*self._in_flight.cancel_one(name), return_exceptions=True)
            await in_store(partial(delay, store.engine, name, store.worker_id, until))
        except Exception as e:  # noqa: BLE001 - a background task's error would go unnoticed
            self._failed(name, e)
        finally:
            del self._tasks[name]
