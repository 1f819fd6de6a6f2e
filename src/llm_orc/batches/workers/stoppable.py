"""Work that can be stopped so that nothing is lost: no call goes out, and answers on their way are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn

from llm_orc.batches.workers.in_flight import InFlight
from llm_orc.errors import BatchBudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.errors import LlmOrcError

_POLL_S = 0.02
BeforeSend = Callable[[], Awaitable[None]]
"""Await it immediately before each attempt of a call is sent. Once the worker stops, it does not return."""


class Stoppable:
    """`stopped_by` says why it stopped, if no person asked. `is_evicted` says that other workers have its rows.

    A batch that has spent its budget is put into `refused`, with the error, and the other batches continue; if it
    is one of `only`, the work ends. A batch that is not one of `only` (an agent on a queue that all workers share)
    is put there whatever is wrong with it here.
    """

    def __init__(self, only: Sequence[str] | None) -> None:
        self.only = only
        self.stopping = asyncio.Event()
        self.stopped_by: LlmOrcError | None = None
        self.is_evicted = False
        self.refused: dict[str, LlmOrcError] = {}
        self.in_flight = InFlight()

    def stop(self, because: LlmOrcError | None = None) -> None:
        """Send no call from now on; `because` is the error that the process ends with. The first call decides."""
        if self.stopped_by is None:
            self.stopped_by = because
        self.stopping.set()

    def give_up(self, batch_id: str, error: LlmOrcError) -> None:
        """Send no further call, which would fare no better; leave the row as it is for the next worker."""
        is_foreign = self.only is not None and batch_id not in self.only
        if is_foreign or (self.only is None and isinstance(error, BatchBudgetExceeded)):
            self.refused[batch_id] = error
        else:
            self.stop(error)

    def is_held_back(self, batch_id: str) -> bool:
        """Whether no call of the batch may be sent."""
        return self.stopping.is_set() or batch_id in self.refused

    async def before_send(self, batch_id: str) -> None:
        """A `BeforeSend`: once the worker stops, hold back a call that has waited for its turn or for money."""
        if self.is_held_back(batch_id):
            self.in_flight.mark_waiting()
            await asyncio.get_running_loop().create_future()
        self.in_flight.mark_sent()

    async def until_cancelled(self, workflow: str) -> NoReturn:
        """Wait, idle, for `cancel`, which nothing is lost by."""
        with self.in_flight.idle(workflow):
            await asyncio.get_running_loop().create_future()
        raise AssertionError("a future that nobody sets has ended")

    async def settled(self, batch_id: str = "") -> None:
        """Return when no call is out and every answer is stored: of one batch that is refused, or of all."""
        # Many things end a wait; polling is simpler than an event for each.
        while not self.is_evicted and not self.in_flight.is_settled(batch_id):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    def evict(self) -> None:
        """Cancel everything: other workers declared this one dead, and have its rows."""
        self.is_evicted = True
        self.stopping.set()
        self.in_flight.cancel()

    async def cancel(self, batch_id: str = "") -> None:
        """Cancel what is in flight, of one batch or of all, and return when it has ended."""
        await asyncio.gather(*self.in_flight.cancel(batch_id), return_exceptions=True)
