"""Carry a batch out and follow it to its end, whatever stops it on the way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.batches.join import JoinedStore, WorkerEvents, join_store
from llm_orc.app.batches.store import batch_place
from llm_orc.batches.batch import Batch, BatchRow, NewBatch
from llm_orc.batches.database import StoreFailure, in_store, store_error
from llm_orc.batches.workers.limits import SharedLimits
from llm_orc.batches.workers.queues import close_queue, enqueue_row, mend, open_queue
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.errors import BatchBudgetExceeded, BatchNotFound, LlmOrcError, StorageError, StoreBusy
from llm_orc.providers.limits.limiter import SlowedDown
from llm_orc.runs.recipe import Recipe
from llm_orc.runs.spend import Spend

if TYPE_CHECKING:
    from llm_orc.app.batches.plan import Going, Submission, Wanted
    from llm_orc.app.wiring import App

_LOOK_S = 0.5
_RATE_OVER = 120  # looks
_TOLD_AT_ONCE = 200  # rows
_OPENED_EVERY = 10  # looks
_LAST_LOOK_S = 3.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch at one moment. `in_flight` counts the rows under way in this process."""

    batch: Batch
    in_flight: int
    spend: Mapping[str, Spend]  # by billing source
    rows_per_s: float | None  # over the last minute; None: nothing has ended yet
    remaining_s: float | None
    slowed_down: tuple[SlowedDown, ...] = ()  # providers that this process waits for

    @property
    def ended(self) -> int:
        return self.batch.total - self.batch.waiting


@dataclass(frozen=True, slots=True)
class BatchWatch:
    """Who looks on. `ended` gets the rows that have ended, those of earlier tries too."""

    began: Callable[[Batch], None] = lambda _batch: None
    progress: Callable[[Progress], None] = lambda _progress: None
    ended: Callable[[Sequence[BatchRow]], None] | None = None
    note: Callable[[str], None] = lambda _sentence: None


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """How this process left the batch. `stopped_by` says why it went before the end, where it was no person."""

    progress: Progress
    stopped_by: LlmOrcError | None = None


async def run_batch(app: App, submission: Submission, watch: BatchWatch, stop: asyncio.Event) -> BatchOutcome:
    """Keep the batch, or find it where it was kept before, and work on it until all its rows have ended.

    `stop` ends the work in good order: calls under way are waited for, the rest is left for the next time.
    """
    options = submission.options

    def submit(store: WorkerStore) -> None:
        new = NewBatch(
            batch_id=submission.batch_id,
            recipe=submission.recipe,
            inputs=options.inputs,
            created_at=app.clock.now(),
            total=len(submission.rows),
            limits=submission.limits,
            most_usd=submission.most_usd,
        )
        open_queue(store.client, submission.batch_id, options.rows_at_once)
        store.batches.reopen(submission.batch_id)  # before rows are added, so that a cancel meanwhile holds
        is_new = store.batches.submit(new, submission.rows, partial(enqueue_row, store.client), app.clock.now())
        if not is_new:
            mend(store.engine, store.batches, store.client, submission.batch_id)

    work = _Work(submission.batch_id, options.store, submission.recipe, submit)
    return await _carry_out(app, work, watch, stop)


async def go_on(app: App, going: Going, wanted: Wanted, watch: BatchWatch, stop: asyncio.Event) -> BatchOutcome:
    """Work on a batch that is kept; where they are wanted also on its rows that failed, whose answers are kept."""

    def submit(store: WorkerStore) -> None:
        open_queue(store.client, going.batch_id, wanted.rows_at_once)
        store.batches.change(going.batch_id, going.recipe, going.limits, going.most_usd)
        store.batches.reopen(going.batch_id)
        if wanted.failed:
            store.batches.retry_failed(going.batch_id, partial(enqueue_row, store.client))
        mend(store.engine, store.batches, store.client, going.batch_id)

    return await _carry_out(app, _Work(going.batch_id, wanted.store, going.recipe, submit), watch, stop)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be worked on; `submit` is done once, when this process has joined."""

    batch_id: str
    store: str | None
    recipe: Recipe
    submit: Callable[[WorkerStore], None]

    @property
    def providers(self) -> set[str]:
        return {choice.provider for ways in self.recipe.choices.values() for choice in ways if choice.provider}


async def _carry_out(app: App, work: _Work, watch: BatchWatch, stop: asyncio.Event) -> BatchOutcome:
    """Where another process has the store for itself, wait until it has gone."""
    place = batch_place(app, work.store)
    limits = _shared_limits(app, work.providers)
    following = _Following(app, work.batch_id, watch)
    events = WorkerEvents(waiting=lambda e: watch.note(waiting_words(e)), note=watch.note)
    told = submitted = False
    while True:
        try:
            async with join_store(app, place, events, only=[work.batch_id], limits=limits) as joined:
                if not submitted:
                    await in_store(partial(work.submit, joined.store))
                submitted = True
                outcome = await following.to_the_end(joined, stop)
                await joined.calls.give_back()
                if not joined.executor.is_evicted or stop.is_set() or outcome.progress.batch.state != "open":
                    return outcome
        except StoreFailure as e:
            raise store_error(place, e) from None
        except StoreBusy as busy:
            if not told:
                watch.note(f"{busy.message}. Waiting for it.")
            told = True
            if await set_within(stop, _LOOK_S):
                raise


def _shared_limits(app: App, providers: Iterable[str]) -> dict[str, SharedLimits]:
    """Return the limits that the settings set for these providers; where they set none, that counts too."""
    found = {name: app.settings.providers.get(name) for name in providers}
    limits = {name: provider.limits if provider else None for name, provider in found.items()}
    return {
        name: SharedLimits(of.concurrent, of.requests_per_minute, of.tokens_per_minute) if of else SharedLimits()
        for name, of in limits.items()
    }


class _Following:
    """Looks at the batch again and again, and tells what is new."""

    def __init__(self, app: App, batch_id: str, watch: BatchWatch) -> None:
        self._app, self._batch_id, self._watch = app, batch_id, watch
        self._joined: JoinedStore
        self._has_begun = False
        self._seen: set[int] = set()
        self._spend: dict[str, Spend] = {}
        self._rate: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER)

    async def to_the_end(self, joined: JoinedStore, stop: asyncio.Event) -> BatchOutcome:
        """Follow until the batch is over, `stop`, or the worker stops by itself; it then has no call out."""
        self._joined = joined
        store, executor = joined.store, joined.executor
        progress = await self._look()
        looks = 0
        while progress.batch.state == "open" and not stop.is_set() and not executor.stopping.is_set():
            looks += 1
            if looks % _OPENED_EVERY == 0:  # others may have closed it, seeing the batch over a moment ago
                await in_store(partial(open_queue, store.client, self._batch_id, None))
            await joined.worker.set_refused_aside()
            await set_within(stop, _LOOK_S)
            progress = await self._look_unless(stop) or progress
        if progress.batch.state in {"open", "spent"}:
            executor.stop()
            await executor.settled()
            progress = await self._look_unless(stop) or progress
        else:
            await in_store(partial(close_queue, store.client, self._batch_id))
        stopped_by = executor.stopped_by
        if isinstance(stopped_by, BatchBudgetExceeded):
            await in_store(partial(store.batches.mark_spent, self._batch_id))
        elif progress.batch.state == "spent":
            stopped_by = BatchBudgetExceeded(
                "the batch has spent what it may (`--max-calls`, `--max-cost`)",
                hint="The same command with a higher limit goes on.",
            )
        return BatchOutcome(progress, stopped_by)

    async def _look_unless(self, stop: asyncio.Event) -> Progress | None:
        """None: a person wants to stop, and the store is away."""
        looking = asyncio.create_task(self._look())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                await asyncio.wait({looking}, timeout=_LAST_LOOK_S)
            return looking.result() if looking.done() else None
        finally:
            looking.cancel()
            stopped.cancel()
            await asyncio.gather(looking, stopped, return_exceptions=True)

    async def _look(self) -> Progress:
        batch = await in_store(partial(self._joined.store.batches.batch, self._batch_id), self._away)
        if batch is not None and not self._has_begun:
            self._watch.began(batch)
            self._has_begun = True
        if batch is None:
            raise BatchNotFound(f"batch `{self._batch_id}` was deleted while it was worked on")
        ends = await in_store(partial(self._joined.store.batches.ends, self._batch_id, frozenset(self._seen)))
        for end in ends:
            self._seen.add(end.number)
            for billing, spend in end.spend.items():
                self._spend[billing] = self._spend.get(billing, Spend()).plus(spend)
        if self._watch.ended is not None and ends:
            await self._tell(self._watch.ended, [end.number for end in ends])
        progress = self._progress(batch)
        self._watch.progress(progress)
        return progress

    def _away(self, error: StoreFailure) -> None:
        self._watch.note(waiting_words(store_error(self._joined.store.place, error)))

    async def _tell(self, ended: Callable[[Sequence[BatchRow]], None], numbers: Sequence[int]) -> None:
        """Some at a time, and in a thread: whoever reads them may be slow."""
        for start in range(0, len(numbers), _TOLD_AT_ONCE):
            some = numbers[start : start + _TOLD_AT_ONCE]
            rows = await in_store(partial(self._rows, some))
            await asyncio.to_thread(ended, rows)

    def _rows(self, numbers: Sequence[int]) -> list[BatchRow]:
        return list(self._joined.store.batches.rows(self._batch_id, numbers))

    def _progress(self, batch: Batch) -> Progress:
        ended = batch.total - batch.waiting
        self._rate.append((self._app.clock.monotonic(), ended))
        (first_at, first), (last_at, last) = self._rate[0], self._rate[-1]
        rate = (last - first) / (last_at - first_at) if last > first and last_at > first_at else None
        remaining = batch.waiting / rate if rate else None
        in_flight = self._joined.executor.in_flight.rows
        return Progress(batch, in_flight, dict(self._spend), rate, remaining, self._joined.calls.slowed_down())


def waiting_words(error: StorageError) -> str:
    """`can't use the store …: Connection refused. Waiting for it.`"""
    return f"{error.message}. Waiting for it."


async def set_within(event: asyncio.Event, limit_s: float) -> bool:
    """Wait for the event, at most so long; True where it was set."""
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
