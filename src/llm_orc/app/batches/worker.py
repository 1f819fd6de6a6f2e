"""Work on all open batches of a store, as `llm-orc worker` does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.batches.asking.telling import Telling
from llm_orc.app.batches.carry_out import wait_until_set
from llm_orc.app.batches.join import WorkerEvents, join_store
from llm_orc.app.batches.store import batch_store_url
from llm_orc.batches.batch import Batch
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import StoreFailure, close_engine, in_store, open_engine, store_error
from llm_orc.batches.questions import wake_overdue
from llm_orc.batches.workers.membership import is_in_use, only_worker_on_file
from llm_orc.batches.workers.queues import close_queue, enqueue_row, open_queue
from llm_orc.dataclass import dataclass
from llm_orc.errors import BatchBudgetExceeded, LlmOrcError, StorageError, StoreBusy

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.batches.workers.worker_store import WorkerStore

_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerListener:
    """Receives what happens. `progress` gets, each second, the open batches and the rows in progress here."""

    waiting: Callable[[StorageError], None]  # the store is out of reach or in use, and the worker waits
    joined: Callable[[str, str], None]  # (worker's id, store)
    progress: Callable[[list[Batch], int], None]
    aside: Callable[[str, LlmOrcError], None]  # the batch is left alone: its budget is spent
    asks: Callable[[Batch], None]  # nothing is left to do in the batch before a person answers
    note: Callable[[str], None]  # foreign work was removed from the store


async def run_worker(
    app: App, store: str | None, listener: WorkerListener, stop: asyncio.Event, *, until_done: bool
) -> LlmOrcError | None:
    """Work until `stop` is set, or, with `until_done`, until no batch is open. Return the error that ended it.

    Calls in progress are waited for. A file has one worker at a time, so it is left to other processes while it
    has no open batch, and waited for while another process has it. Raises `StoreBusy` if that is another `llm-orc
    worker`. With the setting `runs.wait_for_plan`, rows of every batch wait for a plan that is used up, else those
    of batches that were started or resumed so.
    """
    store_url = batch_store_url(app, store)
    with only_worker_on_file(store_url):
        try:
            return await _work(app, store_url, listener, stop, until_done=until_done)
        except StoreFailure as e:
            raise store_error(store_url, e) from None


async def _work(
    app: App, store_url: StoreUrl, listener: WorkerListener, stop: asyncio.Event, *, until_done: bool
) -> LlmOrcError | None:
    now = listener
    while True:
        try:
            departure = await _serve(app, store_url, now, stop, until_done=until_done)
        except StoreBusy as busy:
            listener.waiting(busy)
        else:
            if stop.is_set() or not (departure.is_idle or departure.is_evicted):
                return departure.stopped_by
            # On a file it comes and goes, and reports that it has joined only once, or if it was evicted.
            now = replace(listener, joined=lambda _worker_id, _store: None) if departure.is_idle else listener
        if store_url.path is not None:
            await _until_work(store_url, stop, until_done=until_done)
        if stop.is_set():
            return None


async def _until_work(store_url: StoreUrl, stop: asyncio.Event, *, until_done: bool) -> None:
    """Return when the file is free and has an open batch (or, with `until_done`, none), or when `stop` is set."""
    engine = await asyncio.to_thread(open_engine, store_url)
    try:
        batches = BatchStore(engine)
        while not stop.is_set():
            is_open = bool(await in_store(partial(batches.open_batches, time.time())))
            if (is_open or until_done) and not is_in_use(store_url):
                return
            await wait_until_set(stop, _POLL_S)
    finally:
        close_engine(engine)


@dataclass(frozen=True, slots=True)
class _Departure:
    """Why a worker has left its store: it was evicted, no batch was open, or `stopped_by`."""

    is_evicted: bool
    is_idle: bool
    stopped_by: LlmOrcError | None


async def _serve(
    app: App, store_url: StoreUrl, listener: WorkerListener, stop: asyncio.Event, *, until_done: bool
) -> _Departure:
    is_idle = False
    events = WorkerEvents(listener.waiting, listener.note)
    async with join_store(app, store_url, events, waits=app.settings.runs.wait_for_plan) as joined:
        store, executor, worker = joined.store, joined.executor, joined.worker
        listener.joined(store.worker_id, str(store_url))
        for spent in await in_store(store.batches.batches):
            if spent.state == "spent":
                listener.aside(spent.batch_id, BatchBudgetExceeded("its budget is spent"))
        before: set[str] = set()
        aside: dict[str, LlmOrcError] = {}
        telling = Telling(app, listener.note)
        while not stop.is_set() and not executor.stopping.is_set():
            found = await _open_batches(store, app.clock.now(), telling, listener)
            now = {batch.batch_id for batch in found}
            for again in now - before:  # its queue was deleted when the batch was done
                await in_store(partial(open_queue, store.client, again, None))
            for over in before - now:
                await joined.calls.give_back(over)
                await _leave(store, over, telling, listener)
            before = now
            listener.progress(found, executor.in_flight.rows)
            for held in executor.in_flight.batches - now:
                await in_store(partial(worker.notice_spent, held))
            for batch_id, error in await worker.set_refused_aside():
                listener.aside(batch_id, error)
                aside[batch_id] = error
            if until_done and now <= aside.keys():
                break
            is_idle = store_url.path is not None and not now
            if is_idle:
                break
            await wait_until_set(stop, _POLL_S)
        executor.stop()
        await executor.settled()
        await joined.calls.give_back()
        await telling.settled()
        refused = next((error for name, error in aside.items() if until_done and name in before), None)
        return _Departure(executor.is_evicted, is_idle, executor.stopped_by or refused)


async def _open_batches(store: WorkerStore, now: float, telling: Telling, listener: WorkerListener) -> list[Batch]:
    """Return the batches that there is something to do in, also as the time for an answer has passed."""

    def look() -> list[Batch]:
        wake_overdue(store.engine, now, partial(enqueue_row, store.client))
        return store.batches.open_batches(now)

    found = await in_store(look, lambda e: listener.waiting(store_error(store.url, e)))
    for batch in found:
        telling.look(batch, store.engine)
    return found


async def _leave(store: WorkerStore, batch_id: str, telling: Telling, listener: WorkerListener) -> None:
    """Stop looking for rows of a batch that has ended, or that only waits for people."""
    await in_store(partial(close_queue, store.client, batch_id))
    left = await in_store(partial(store.batches.batch, batch_id))
    if left is not None and left.only_asks:
        telling.look(left, store.engine)
        listener.asks(left)
