"""A store as one worker has opened it: what the worker, its row executor and its calls share."""

from __future__ import annotations

import os
import secrets
import socket
from typing import TYPE_CHECKING, Self

from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import close_engine, engine_of
from llm_orc.batches.workers.limits import SharedGate
from llm_orc.batches.workers.queues import client_of

if TYPE_CHECKING:
    from types import TracebackType

    from llm_orc.batches.store_url import StoreUrl


class WorkerStore:
    """Enter it to close the connections at the end. A process that joins again gets another `worker_id`.

    `gate` limits the rate of calls over all workers; None on a file, which has one worker.
    Raises `StorageError` if a file can't be opened; a server is contacted later, by the worker.
    """

    def __init__(self, store_url: StoreUrl, *, tuned: bool = True) -> None:
        """`tuned` is for the test that shows what tuning SQLite is for."""
        self.url = store_url
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.engine = engine_of(store_url, tuned=tuned)
        self.batches = BatchStore(self.engine)
        self.client = client_of(self.engine)
        self.gate = SharedGate(self.engine, self.worker_id) if store_url.is_shared else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.destroy()
        close_engine(self.engine)
