"""Run an ensemble over many inputs: submit them once, carry them out, and go on after whatever happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.app.access import Estimate
from llm_orc.app.batch_calls import BatchCalls
from llm_orc.app.batch_inputs import Shaping, make_tasks, placeholders
from llm_orc.app.choices import choices_of
from llm_orc.app.conduct import refuse_unknown_price
from llm_orc.app.estimate import estimate
from llm_orc.app.run_ensemble import lowest
from llm_orc.app.session import Session
from llm_orc.app.stores import batch_place
from llm_orc.durable.batch import Batch, BatchLimits, BatchRow, NewBatch, NewRow, batch_id_of
from llm_orc.durable.database import in_store, store_error
from llm_orc.durable.limits import SharedLimits
from llm_orc.durable.queueing import close_queue, enqueue_row, mend, open_queue
from llm_orc.durable.worker import Worker
from llm_orc.errors import BatchNotFound, InputError, LlmOrcError, StorageError, StoreBusy
from llm_orc.runs.resume import Recipe
from llm_orc.runs.state import Spend

if TYPE_CHECKING:
    from llm_orc.app.access import AccessPlan
    from llm_orc.app.batch_inputs import Input, Task
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble

ROWS_AT_ONCE = 32
_LOOK_S = 0.5
_RATE_OVER = 120  # looks
_TOLD_AT_ONCE = 200  # rows


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What the person asked for. None: as the settings say, or without a limit."""

    inputs: str  # where they came from, for people
    shaping: Shaping = field(default_factory=Shaping)
    store: str | None = None
    allow_metered: bool = False
    rehearse: bool = False
    again: bool = False  # a batch of its own, though the same one was run before
    rows_at_once: int | None = None
    max_cost_usd: float | None = None
    max_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch at one moment. `in_flight` counts the rows under way in this process."""

    batch: Batch
    in_flight: int
    spend: Mapping[str, Spend]  # by billing source
    rows_per_s: float | None  # over the last minute; None: nothing has ended yet
    remaining_s: float | None

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


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch that is ready to be kept: its recipe with nothing left open, its rows, and its limits."""

    batch_id: str
    recipe: Recipe
    rows: Sequence[NewRow]
    limits: BatchLimits
    options: BatchOptions


def prepare_batch(app: App, ensemble: Ensemble, inputs: Sequence[Input], options: BatchOptions) -> Submission:
    """Turn inputs into rows and give the batch its id. Raises `InputError`, `ProfileNotFound`, `SettingsError`."""
    template = options.shaping.template
    if template is None and ensemble.default_task is not None and placeholders(ensemble.default_task):
        template = ensemble.default_task
    tasks = make_tasks(inputs, replace(options.shaping, template=template))
    recipe = Recipe(
        # Rows know nothing of each other. Limits are the batch's, so that they can be changed.
        ensemble=replace(ensemble, conversation=None, max_cost_usd=None, max_calls=None),
        task="",
        choices=choices_of(ensemble, app.settings),
        allow_metered=options.allow_metered,
        rehearsal=options.rehearse,
        timeout_s=app.settings.runs.timeout_s,
    )
    limits = BatchLimits(
        max_cost_usd=options.max_cost_usd,
        max_calls=options.max_calls,
        row_max_cost_usd=lowest(app.settings.runs.max_cost_usd, ensemble.max_cost_usd),
        row_max_calls=lowest(app.settings.runs.max_calls, ensemble.max_calls),
    )
    rows = [_new_row(task) for task in tasks]
    batch_id = batch_id_of(recipe, rows, app.new_run_id() if options.again else "")
    return Submission(batch_id, recipe, rows, limits, options)


def _new_row(task: Task) -> NewRow:
    return NewRow(task.number, task.line, task.task, task.label, task.fields, task.error)


async def plan_batch(app: App, submission: Submission, planned: Callable[[AccessPlan], None]) -> Submission:
    """Find the access of every agent before anything is kept or spent, and show it. Raises for all at once."""
    options, recipe = submission.options, submission.recipe
    async with Session(
        app, allow_metered=options.allow_metered, rehearsal=options.rehearse, stream=False
    ) as session:
        ready, _ = await session.models_for(recipe.choices)
    refuse_unknown_price(lowest(submission.limits.max_cost_usd, submission.limits.row_max_cost_usd), ready)
    usable = [row for row in submission.rows if row.error is None]
    longest = max((row.task for row in usable), key=len, default="")
    one = partial(estimate, replace(recipe, task=longest), ready.by_agent, {})
    planned(replace(ready.plan, estimate=lambda: _times(one(), len(usable))))
    choices = {agent: tuple(model.choice for model in found) for agent, found in ready.by_agent.items()}
    return replace(submission, recipe=replace(recipe, choices=choices))


def _times(one: Estimate | None, rows: int) -> Estimate | None:
    if one is None:
        return None
    likely = None if one.likely_usd is None else one.likely_usd * rows
    most = None if one.most_usd is None else one.most_usd * rows
    return Estimate(one.calls * rows, likely, most)


async def run_batch(app: App, submission: Submission, watch: BatchWatch, stop: asyncio.Event) -> BatchOutcome:
    """Keep the batch, or find it where it was kept before, and work on it until all its rows have ended.

    `stop` ends the work in good order: calls under way are waited for, the rest is left for the next time.
    """
    options = submission.options

    def submit(worker: Worker) -> None:
        new = NewBatch(
            batch_id=submission.batch_id,
            recipe=submission.recipe,
            inputs=options.inputs,
            created_at=app.clock.now(),
            total=len(submission.rows),
            limits=submission.limits,
        )
        open_queue(worker.client, submission.batch_id, options.rows_at_once or ROWS_AT_ONCE)
        enqueue = partial(enqueue_row, worker.client)
        is_new = worker.batches.submit(new, submission.rows, enqueue, app.clock.now())
        if not is_new:
            worker.batches.reopen(submission.batch_id)
            mend(worker.batches, worker.client, submission.batch_id)

    return await _work(app, submission.batch_id, options.store, watch=watch, stop=stop, submit=submit)


async def retry_failed(
    app: App,
    batch_id: str,
    store: str | None,
    watch: BatchWatch,
    stop: asyncio.Event,
    *,
    rows_at_once: int | None = None,
) -> BatchOutcome:
    """Carry out the rows again that ended with failures. Answers that they have are kept."""

    def submit(worker: Worker) -> None:
        batch = worker.batches.batch(batch_id)
        if batch is not None and batch.is_cancelled:
            raise InputError(
                f"batch `{batch_id}` was cancelled", hint="Give its command again; then ask again for what failed."
            )
        open_queue(worker.client, batch_id, rows_at_once or ROWS_AT_ONCE)
        worker.batches.retry_failed(batch_id, partial(enqueue_row, worker.client))
        mend(worker.batches, worker.client, batch_id)

    return await _work(app, batch_id, store, watch=watch, stop=stop, submit=submit)


async def _work(
    app: App,
    batch_id: str,
    store: str | None,
    *,
    watch: BatchWatch,
    stop: asyncio.Event,
    submit: Callable[[Worker], None],
) -> BatchOutcome:
    """Work on the batch; where another process has the store for itself, wait until it has gone."""
    place = batch_place(app, store)
    following = _Following(app, batch_id, watch)
    told = submitted = False
    while True:
        try:
            async with BatchCalls(app) as calls:
                worker = Worker(
                    place,
                    calls,
                    app.clock,
                    batches=[batch_id],
                    limits=_shared_limits(app),
                    waiting=lambda e: watch.note(waiting_words(e)),
                )
                calls.worker = worker
                async with worker:
                    if not submitted:
                        await in_store(partial(submit, worker))
                    submitted = True
                    outcome = await following.to_the_end(worker, stop)
                    await calls.give_back()
                    if not worker.carrier.is_lost or stop.is_set() or outcome.progress.batch.state != "open":
                        return outcome
        except sa.exc.SQLAlchemyError as e:
            raise store_error(place, e) from None
        except StoreBusy as busy:
            if not told:
                watch.note(f"{busy.message}. Waiting for it.")
            told = True
            if await _set_within(stop, _LOOK_S):
                raise


def _shared_limits(app: App) -> dict[str, SharedLimits]:
    """Return the limits of the settings, for all workers of a store."""
    return {
        name: SharedLimits(limits.concurrent, limits.requests_per_minute, limits.tokens_per_minute)
        for name, provider in app.settings.providers.items()
        if (limits := provider.limits) is not None
    }


class _Following:
    """Looks at the batch again and again, and tells what is new."""

    def __init__(self, app: App, batch_id: str, watch: BatchWatch) -> None:
        self._app, self._batch_id, self._watch = app, batch_id, watch
        self._worker: Worker
        self._has_begun = False
        self._seen: set[int] = set()
        self._spend: dict[str, Spend] = {}
        self._rate: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER)

    async def to_the_end(self, worker: Worker, stop: asyncio.Event) -> BatchOutcome:
        """Follow until the batch is over, `stop`, or the worker stops by itself; it then has no call out."""
        self._worker = worker
        progress = await self._look()
        if not self._has_begun:
            self._watch.began(progress.batch)
        self._has_begun = True
        while progress.batch.state == "open" and not stop.is_set() and not self._worker.carrier.stopping.is_set():
            await _set_within(stop, _LOOK_S)
            progress = await self._look()
        if progress.batch.state == "open":
            self._worker.carrier.stop()
            await self._worker.carrier.drained()
            progress = await self._look()
        else:
            await in_store(partial(close_queue, self._worker.client, self._batch_id))
        return BatchOutcome(progress, self._worker.carrier.stopped_by)

    async def _look(self) -> Progress:
        batch = await in_store(partial(self._worker.batches.batch, self._batch_id), self._away)
        if batch is None:
            raise BatchNotFound(f"batch `{self._batch_id}` was deleted while it was worked on")
        ends = await in_store(partial(self._worker.batches.ends, self._batch_id, frozenset(self._seen)))
        for end in ends:
            self._seen.add(end.number)
            for billing, spend in end.spend.items():
                self._spend[billing] = self._spend.get(billing, Spend()).plus(spend)
        if self._watch.ended is not None and ends:
            await self._tell(self._watch.ended, [end.number for end in ends])
        progress = self._progress(batch)
        self._watch.progress(progress)
        return progress

    def _away(self, error: sa.exc.DBAPIError) -> None:
        self._watch.note(waiting_words(store_error(self._worker.place, error)))

    async def _tell(self, ended: Callable[[Sequence[BatchRow]], None], numbers: Sequence[int]) -> None:
        """Some at a time, and in a thread: whoever reads them may be slow."""
        for start in range(0, len(numbers), _TOLD_AT_ONCE):
            some = numbers[start : start + _TOLD_AT_ONCE]
            rows = await in_store(partial(self._rows, some))
            await asyncio.to_thread(ended, rows)

    def _rows(self, numbers: Sequence[int]) -> list[BatchRow]:
        return list(self._worker.batches.rows(self._batch_id, numbers))

    def _progress(self, batch: Batch) -> Progress:
        ended = batch.total - batch.waiting
        self._rate.append((self._app.clock.monotonic(), ended))
        (first_at, first), (last_at, last) = self._rate[0], self._rate[-1]
        rate = (last - first) / (last_at - first_at) if last > first and last_at > first_at else None
        remaining = batch.waiting / rate if rate else None
        return Progress(batch, self._worker.carrier.rows_under_way, dict(self._spend), rate, remaining)


def waiting_words(error: StorageError) -> str:
    """`can't use the store …: Connection refused. Waiting for it.`"""
    return f"{error.message}. Waiting for it."


async def _set_within(event: asyncio.Event, limit_s: float) -> bool:
    """Wait for the event, at most so long; True where it was set."""
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
