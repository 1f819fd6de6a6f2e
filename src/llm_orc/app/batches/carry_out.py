"""Carry a batch out in this process, and follow it until it ends or is stopped."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.batches.asking.telling import Telling
from llm_orc.app.batches.join import JoinedStore, WorkerEvents, join_store
from llm_orc.app.batches.store import batch_store_url
from llm_orc.batches.batch import Batch, BatchRow, NewBatch
from llm_orc.batches.database import StoreFailure, in_store, store_error
from llm_orc.batches.questions import wake_overdue
from llm_orc.batches.workers.limits import SharedLimits
from llm_orc.batches.workers.queues import close_queue, enqueue_row, open_queue, requeue_missing
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.dataclass import dataclass
from llm_orc.errors import BatchBudgetExceeded, BatchNotFound, LlmOrcError, StorageError, StoreBusy
from llm_orc.providers.limits.limiter import SlowedDown
from llm_orc.runs.recipe import Recipe
from llm_orc.runs.spend import Spend, added

if TYPE_CHECKING:
    from llm_orc.app.batches.plan import PlannedResume, Submission
    from llm_orc.app.batches.request import ResumeRequest
    from llm_orc.app.wiring import App

_POLL_S = 0.5
_POLLS_FOR_RATE = 120
_ROWS_AT_ONCE = 200  # that a listener gets
_POLLS_PER_REOPENING = 10
_LAST_POLL_S = 3.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch at one moment. `in_flight` counts the rows in progress in this process."""

    batch: Batch
    in_flight: int
    spend: Mapping[str, Spend]  # by who pays
    rows_per_s: float | None  # over the last minute; None: no row has ended in it
    remaining_s: float | None
    slowed_down: tuple[SlowedDown, ...] = ()  # providers that this process waits for

    @property
    def ended(self) -> int:
        return self.batch.total - self.batch.waiting


@dataclass(frozen=True, slots=True)
class BatchListener:
    """Receives what happens to a batch. `ended` gets the rows that have ended, also those of earlier processes."""

    began: Callable[[Batch], None] = lambda _batch: None
    progress: Callable[[Progress], None] = lambda _progress: None
    ended: Callable[[Sequence[BatchRow]], None] | None = None
    note: Callable[[str], None] = lambda _sentence: None


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """How this process left the batch. `stopped_by` says why it stopped before the end, if no person asked."""

    progress: Progress
    stopped_by: LlmOrcError | None = None


async def run_batch(
    app: App, submission: Submission, listener: BatchListener, stop: asyncio.Event
) -> BatchOutcome:
    """Store the batch, unless it is stored already, and work on it until all its rows have ended.

    `stop` ends the work in good order: calls in progress are waited for, and the rest is left for the next time.
    Raises `StoreBusy`, `StorageError`, `BatchNotFound`.
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
            most=submission.most,
            contents=submission.contents,
        )
        open_queue(store.client, submission.batch_id, options.limits.rows_at_once)
        store.batches.reopen(submission.batch_id)  # before rows are added, so that a cancellation meanwhile holds
        is_new = store.batches.submit(new, submission.rows, partial(enqueue_row, store.client), app.clock.now())
        if not is_new:
            requeue_missing(store.engine, store.batches, store.client, submission.batch_id)

    work = _Work(submission.batch_id, options.store, submission.recipe, submit)
    return await _carry_out(app, work, listener, stop)


async def resume_batch(
    app: App, resume: PlannedResume, request: ResumeRequest, listener: BatchListener, stop: asyncio.Event
) -> BatchOutcome:
    """Work on a stored batch, as `run_batch` does; if asked, retry its failed rows, which keep their answers."""

    def submit(store: WorkerStore) -> None:
        open_queue(store.client, resume.batch_id, request.limits.rows_at_once)
        store.batches.change(resume.batch_id, resume.recipe, resume.limits, resume.most)
        store.batches.reopen(resume.batch_id)
        if request.failed:
            store.batches.retry_failed(resume.batch_id, partial(enqueue_row, store.client))
        requeue_missing(store.engine, store.batches, store.client, resume.batch_id)

    return await _carry_out(app, _Work(resume.batch_id, request.store, resume.recipe, submit), listener, stop)


@dataclass(frozen=True, slots=True)
class _Work:
    """A batch to work on. `submit` is called once, when this process has joined the store."""

    batch_id: str
    store: str | None
    recipe: Recipe
    submit: Callable[[WorkerStore], None]

    @property
    def providers(self) -> set[str]:
        return {choice.provider for ways in self.recipe.choices.values() for choice in ways if choice.provider}


async def _carry_out(app: App, work: _Work, listener: BatchListener, stop: asyncio.Event) -> BatchOutcome:
    """Join the store and follow the batch. Wait while another process has the store, and join again if evicted."""
    store_url = batch_store_url(app, work.store)
    limits = _shared_limits(app, work.providers)
    following = _Follower(app, work.batch_id, listener)
    events = WorkerEvents(waiting=lambda e: listener.note(waiting_words(e)), note=listener.note)
    has_noted = submitted = False
    while True:
        try:
            async with join_store(app, store_url, events, only=[work.batch_id], limits=limits) as joined:
                if not submitted:
                    await in_store(partial(work.submit, joined.store))
                submitted = True
                outcome = await following.follow(joined, stop)
                await joined.calls.give_back()
                if not joined.executor.is_evicted or stop.is_set() or outcome.progress.batch.state != "open":
                    return outcome
        except StoreFailure as e:
            raise store_error(store_url, e) from None
        except StoreBusy as busy:
            if not has_noted:
                listener.note(f"{busy.message}. Waiting for it.")
            has_noted = True
            if await wait_until_set(stop, _POLL_S):
                raise


def _shared_limits(app: App, providers: Iterable[str]) -> dict[str, SharedLimits]:
    """Return the limits that the settings give these providers, also if they give none."""
    found = {name: app.settings.providers.get(name) for name in providers}
    limits = {name: provider.limits if provider else None for name, provider in found.items()}
    return {
        name: SharedLimits(of.concurrent, of.requests_per_minute, of.tokens_per_minute) if of else SharedLimits()
        for name, of in limits.items()
    }


class _Follower:
    """Polls the store for a batch, and passes on to the listener what is new."""

    def __init__(self, app: App, batch_id: str, listener: BatchListener) -> None:
        self._app, self._batch_id, self._listener = app, batch_id, listener
        self._joined: JoinedStore
        self._has_begun = self._has_asked = False
        self._mark_seen: set[int] = set()
        self._spend: dict[str, Spend] = {}
        self._telling = Telling(app, listener.note)
        self._rate: deque[tuple[float, int]] = deque(maxlen=_POLLS_FOR_RATE)

    async def follow(self, joined: JoinedStore, stop: asyncio.Event) -> BatchOutcome:
        """Follow until the batch ends, `stop` is set, or the worker stops. On return no call is out."""
        self._joined = joined
        store, executor = joined.store, joined.executor
        progress = await self._poll()
        polls = 0
        while is_going_on(progress.batch) and not stop.is_set() and not executor.stopping.is_set():
            polls += 1
            if polls % _POLLS_PER_REOPENING == 0:
                # Another process may have closed the queue when the batch was done a moment ago.
                await in_store(partial(open_queue, store.client, self._batch_id, None))
            await joined.worker.set_refused_aside()
            await wait_until_set(stop, _POLL_S)
            progress = await self._poll_unless(stop) or progress
        if progress.batch.state in {"open", "spent"}:
            executor.stop()
            await executor.settled()
            progress = await self._poll_unless(stop) or progress
        else:
            await in_store(partial(close_queue, store.client, self._batch_id))
        await self._telling.finish(progress.batch, store.engine)
        stopped_by = executor.stopped_by
        if isinstance(stopped_by, BatchBudgetExceeded):
            await in_store(partial(store.batches.mark_spent, self._batch_id))
        elif progress.batch.state == "spent":
            stopped_by = BatchBudgetExceeded(
                "the batch has spent its budget (`--max-calls`, `--max-cost`, `--max-total-tokens`)",
                hint="To continue, give the same command with a higher limit.",
            )
        return BatchOutcome(progress, stopped_by)

    async def _poll_unless(self, stop: asyncio.Event) -> Progress | None:
        """Poll; return None if `stop` is set and the store is out of reach."""
        polling = asyncio.create_task(self._poll())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({polling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not polling.done():
                await asyncio.wait({polling}, timeout=_LAST_POLL_S)
            return polling.result() if polling.done() else None
        finally:
            polling.cancel()
            stopped.cancel()
            await asyncio.gather(polling, stopped, return_exceptions=True)

    async def _poll(self) -> Progress:
        store = self._joined.store
        enqueue = partial(enqueue_row, store.client)
        await in_store(
            partial(wake_overdue, store.engine, self._app.clock.now(), enqueue, self._batch_id), self._away
        )
        batch = await in_store(partial(store.batches.batch, self._batch_id), self._away)
        if batch is not None and not self._has_begun:
            self._listener.began(batch)
            self._has_begun = True
        if batch is None:
            raise BatchNotFound(f"batch `{self._batch_id}` was deleted while it was being processed")
        self._telling.look(batch, store.engine)
        ends = await in_store(partial(store.batches.ends, self._batch_id, frozenset(self._mark_seen)))
        for end in ends:
            self._mark_seen.add(end.number)
            self._spend = added(self._spend, end.spend)
        if self._listener.ended is not None and ends:
            await self._pass_on(self._listener.ended, [end.number for end in ends])
        open_spend: Mapping[str, Spend] = {}
        self._has_asked |= batch.asking > 0
        if self._has_asked:
            open_spend = await in_store(partial(store.batches.open_spend, self._batch_id))
        progress = self._progress(batch, open_spend)
        self._listener.progress(progress)
        return progress

    def _away(self, error: StoreFailure) -> None:
        self._listener.note(waiting_words(store_error(self._joined.store.url, error)))

    async def _pass_on(self, ended: Callable[[Sequence[BatchRow]], None], numbers: Sequence[int]) -> None:
        """Pass rows to the listener, some at a time and in a thread, since it may be slow."""
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            some = numbers[start : start + _ROWS_AT_ONCE]
            rows = await in_store(partial(self._rows, some))
            await asyncio.to_thread(ended, rows)

    def _rows(self, numbers: Sequence[int]) -> list[BatchRow]:
        return list(self._joined.store.batches.rows(self._batch_id, numbers))

    def _progress(self, batch: Batch, open_spend: Mapping[str, Spend]) -> Progress:
        ended = batch.total - batch.waiting
        self._rate.append((self._app.clock.monotonic(), ended))
        (first_at, first), (last_at, last) = self._rate[0], self._rate[-1]
        rate = (last - first) / (last_at - first_at) if last > first and last_at > first_at else None
        remaining = (batch.waiting - batch.asking) / rate if rate else None
        in_flight = self._joined.executor.in_flight.rows
        return Progress(
            batch, in_flight, added(self._spend, open_spend), rate, remaining, self._joined.calls.slowed_down()
        )


def is_going_on(batch: Batch) -> bool:
    """Whether there is something to do for a worker: the batch is open, and not all of its rows ask people."""
    return batch.state == "open" and not batch.only_asks


def waiting_words(error: StorageError) -> str:
    """Return the note of a worker that waits: `can't use the store …: Connection refused. Waiting for it.`"""
    return f"{error.message}. Waiting for it."


async def wait_until_set(event: asyncio.Event, limit_s: float) -> bool:
    """Wait for the event for at most `limit_s`; return whether it is set."""
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
