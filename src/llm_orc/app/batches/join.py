"""Join a store as a worker: open it, and put together what calls agents, what carries out rows, and the worker."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.app.batches.calls import BatchCalls
from llm_orc.batches.workers.row_executor import RowExecutor
from llm_orc.batches.workers.worker import Worker
from llm_orc.batches.workers.worker_store import WorkerStore
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.batches.workers.limits import SharedLimits


@dataclass(frozen=True, slots=True)
class JoinedStore:
    """A store, and the worker of this process in it. Each part knows the ones above it, and none below.

    The store, what calls agents, what carries out rows and agents by these calls, and the worker that feeds it.
    """

    store: WorkerStore
    calls: BatchCalls
    executor: RowExecutor
    worker: Worker


@dataclass(frozen=True, slots=True)
class WorkerEvents:
    """What a worker reports: that it waits for a store out of reach, and which foreign work it has removed."""

    waiting: Callable[[StorageError], None]
    note: Callable[[str], None]


@asynccontextmanager
async def join_store(
    app: App,
    store_url: StoreUrl,
    events: WorkerEvents,
    *,
    only: Sequence[str] | None = None,
    limits: Mapping[str, SharedLimits] | None = None,
    waits: bool = False,
) -> AsyncIterator[JoinedStore]:
    """Work on the batches in `only`, or on all that are open; at the end, put unfinished work back.

    `limits`, by provider, become those of all workers. `waits`: see `BatchCalls`. Raises `StoreBusy` and
    `StorageError`.
    """
    with WorkerStore(store_url) as store:
        async with BatchCalls(app, store, waits=waits) as calls:
            executor = RowExecutor(store, calls, app.clock, only=only, save_below=app.environment.cwd)
            worker = Worker(store, executor, limits=limits, on_wait=events.waiting, on_note=events.note)
            async with worker:
                yield JoinedStore(store, calls, executor, worker)
