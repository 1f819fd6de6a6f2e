"""Work on whatever batches a store has, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.batches.carry_out import set_within
from llm_orc.app.batches.join import WorkerEvents, join_store
from llm_orc.app.batches.store import batch_place
from llm_orc.batches.batch import Batch
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import StoreFailure, in_store, open_engine, store_error
from llm_orc.batches.workers.membership import is_worked_on, only_worker
from llm_orc.batches.workers.queues import close_queue, open_queue
from llm_orc.errors import BatchBudgetExceeded, LlmOrcError, StorageError, StoreBusy

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.batches.store_url import Place

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerWatch:
    """Who looks on. `progress` gets the open batches and the rows under way here, about once a second."""

    waiting: Callable[[StorageError], None]  # the store is out of reach, and waited for
    joined: Callable[[str, str], None]  # (worker's id, store)
    progress: Callable[[list[Batch], int], None]
    aside: Callable[[str, LlmOrcError], None]  # a batch that has spent its budget is left alone
    note: Callable[[str], None]  # work that others put into the store was taken out


async def run_worker(
    app: App, store: str | None, watch: WorkerWatch, stop: asyncio.Event, *, until_done: bool
) -> LlmOrcError | None:
    """Work until `stop`, or until no batch is open where `until_done`; return why it went, where no person asked.

    Calls under way are waited for. A file is one process's: it is left to others while nothing in it is to be
    done, and waited for while another has it. Raises `StoreBusy` where that is another worker.
    """
    place = batch_place(app, store)
    with only_worker(place):
        try:
            return await _work(app, place, watch, stop, until_done=until_done)
        except StoreFailure as e:
            raise store_error(place, e) from None


async def _work(
    app: App, place: Place, watch: WorkerWatch, stop: asyncio.Event, *, until_done: bool
) -> LlmOrcError | None:
    now = watch
    while True:
        try:
            left = await _serve(app, place, now, stop, until_done=until_done)
        except StoreBusy as busy:
            watch.waiting(busy)
        else:
            if stop.is_set() or not (left.is_idle or left.is_lost):
                return left.stopped_by
            # On a file it comes and goes; only one that goes on under another name says so again.
            now = replace(watch, joined=lambda _worker_id, _store: None) if left.is_idle else watch
        if place.path is not None:
            await _until_work(place, stop, until_done=until_done)
        if stop.is_set():
            return None


async def _until_work(place: Place, stop: asyncio.Event, *, until_done: bool) -> None:
    """Return when the file has an open batch that nobody works on, or none where `until_done`, or at `stop`."""
    engine = await asyncio.to_thread(open_engine, place)
    try:
        batches = BatchStore(engine)
        while not stop.is_set():
            is_open = bool(await in_store(batches.open_batches))
            if (is_open or until_done) and not is_worked_on(place):
                return
            await set_within(stop, _LOOK_S)
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class _Left:
    """Why a worker has left its store: others took its work, nothing was to be done, or `stopped_by`."""

    is_lost: bool
    is_idle: bool
    stopped_by: LlmOrcError | None


async def _serve(app: App, place: Place, watch: WorkerWatch, stop: asyncio.Event, *, until_done: bool) -> _Left:
    is_idle = False
    async with join_store(app, place, WorkerEvents(watch.waiting, watch.note)) as joined:
        store, executor, worker = joined.store, joined.executor, joined.worker
        watch.joined(store.worker_id, str(place))
        for spent in await in_store(store.batches.batches):
            if spent.state == "spent":
                watch.aside(spent.batch_id, BatchBudgetExceeded("its budget is spent"))
        before: set[str] = set()
        aside: dict[str, LlmOrcError] = {}
        while not stop.is_set() and not executor.stopping.is_set():
            found = await in_store(store.batches.open_batches, lambda e: watch.waiting(store_error(place, e)))
            now = {batch.batch_id for batch in found}
            for again in now - before:  # its queue was closed when it was over
                await in_store(partial(open_queue, store.client, again, None))
            for over in before - now:
                await joined.calls.give_back(over)
                await in_store(partial(close_queue, store.client, over))
            before = now
            watch.progress(found, executor.in_flight.rows)
            for held in executor.in_flight.batches - now:
                await in_store(partial(worker.notice_spent, held))
            for batch_id, error in await worker.set_refused_aside():
                watch.aside(batch_id, error)
                aside[batch_id] = error
            if until_done and now <= aside.keys():
                break
            is_idle = place.path is not None and not now
            if is_idle:
                break
            await set_within(stop, _LOOK_S)
        executor.stop()
        await executor.settled()
        await joined.calls.give_back()
        left = next((error for name, error in aside.items() if until_done and name in before), None)
        return _Left(executor.is_evicted, is_idle, executor.stopped_by or left)
