"""Write each event, then pass it on: everything that was shown of a run is already durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from llm_orc.agents.path import is_top
from llm_orc.engine.events import AgentDelta, AgentFinished, RunFinished, RunStopped
from llm_orc.runs.costs import CostsSoFar
from llm_orc.runs.journal import EndOfTry, Entries
from llm_orc.runs.wire import encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llm_orc.engine.events import RecordedEvent, RunEvent
    from llm_orc.errors import StorageError
    from llm_orc.runs.journal import Journal


class DirectSink:
    """For runs without a record: events are shown as they arrive."""

    failure: StorageError | None = None
    journal = None

    def __init__(self, show: Callable[[RunEvent], None]) -> None:
        self._show = show
        self.delta: Callable[[AgentDelta], None] = show

    def post(self, event: RecordedEvent) -> None:
        self._show(event)

    async def commit(self, event: RecordedEvent) -> None:
        self._show(event)

    def shows(self, event: RecordedEvent) -> None:
        self._show(event)

    def carry_over(self, events: Iterable[RecordedEvent]) -> None:
        for event in events:
            self._show(event)


class Recorder:
    """The sink of a recorded run. One batch of events is at the journal; later ones form the next batch.

    If the journal fails during the run (a full disk), the run continues unrecorded, so that the answers still
    reach standard output; `failure` then says why.
    """

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        show: Callable[[RunEvent], None],
        *,
        finished: int = 0,
        costs: CostsSoFar | None = None,
    ) -> None:
        """`finished` and `costs` continue those of an earlier attempt of the same run."""
        self.failure: StorageError | None = None
        self.journal, self._run_id, self._show = journal, run_id, show
        self._loop = asyncio.get_running_loop()
        self._line: deque[RunEvent] = deque()  # not yet shown, in order
        self._batch: list[tuple[str, bytes]] = []  # not yet passed to the journal
        self._end: EndOfTry | None = None
        self._writing = 0  # events at the journal
        self._seq = 0  # of the events of this process
        self._finished, self._costs = finished, costs or CostsSoFar()
        self._flushing = False
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()  # (seq that must be durable, its waiter)

    def post(self, event: RecordedEvent) -> None:
        if self.failure is not None:
            self._show(event)
            return
        self._line.append(event)
        self._batch.append(encode_event(event))
        self._count(event)
        if not self._flushing and not self._writing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    async def commit(self, event: RecordedEvent) -> None:
        self.post(event)
        if self.failure is None:
            written: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append((self._seq + self._writing + len(self._batch), written))
            await written

    def carry_over(self, events: Iterable[RecordedEvent]) -> None:
        """Copy events that another run has paid for."""
        for event in events:
            self.post(event)

    def shows(self, event: RecordedEvent) -> None:
        """Show an event that is in the journal already."""
        self._show(event)

    def delta(self, event: AgentDelta) -> None:
        if self._line:
            self._line.append(event)
        else:
            self._show(event)

    def _count(self, event: RecordedEvent) -> None:
        """Update the totals of the run's row, so that lists need not read events."""
        self._costs.apply(event)
        if isinstance(event, AgentFinished):
            self._finished += is_top(event.agent)
        elif isinstance(event, RunFinished):
            self._end = self._end_of_try(event.status, event.at)
        elif isinstance(event, RunStopped):
            self._end = self._end_of_try("interrupted", event.at)

    def _end_of_try(self, status: str, at: float) -> EndOfTry:
        costs = self._costs
        return EndOfTry(
            self._run_id, status, at, self._finished, costs.known_usd, costs.unknown + costs.unanswered
        )

    def _flush(self) -> None:
        self._flushing = False
        self._writing, batch, end = len(self._batch), self._batch, self._end
        self._batch, self._end = [], None
        self.journal.append(Entries(self._run_id, batch, end, self._written_in_thread))

    def _written_in_thread(self, failure: StorageError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
            self._loop.call_soon_threadsafe(self._written, failure)

    def _written(self, failure: StorageError | None) -> None:
        shown = self._writing
        self._seq += shown
        self._writing = 0
        if failure is not None:
            self.failure = failure
            shown += len(self._batch)
            self._batch.clear()
        self._show_next(shown)
        self._wake(None if failure is not None else self._seq)
        if self._batch:
            self._flush()

    def _show_next(self, events: int) -> None:
        """Show that many recorded events, with the deltas between them and those that follow."""
        line = self._line
        while line and (events or isinstance(line[0], AgentDelta)):
            event = line.popleft()
            if not isinstance(event, AgentDelta):
                events -= 1
            self._show(event)

    def _wake(self, durable: int | None) -> None:
        while self._waiters and (durable is None or self._waiters[0][0] <= durable):
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
