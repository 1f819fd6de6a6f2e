"""A worker: one process that launches the durable engine on a store, and stops it so that nothing is lost."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_errors

from llm_orc.agents.files.ref import files_of
from llm_orc.batches.batch import AGENT_WORKFLOW, ROW_WORKFLOW, queue_of
from llm_orc.batches.database import (
    StoreFailure,
    in_store,
    make_tables,
    retry_while_away,
    start_patience_s,
    store_error,
)
from llm_orc.batches.workers.cleanup import clean_up, clean_up_regularly
from llm_orc.batches.workers.engine.closed_engine import engine_serializer
from llm_orc.batches.workers.foreign_work import DAMAGED_ROWS, remove_foreign_work, watch_for_foreign_work
from llm_orc.batches.workers.limits import SharedLimits, limit_queue, set_limits
from llm_orc.batches.workers.membership import Heartbeats, Membership
from llm_orc.batches.workers.queues import APPLICATION, APPLICATION_VERSION, cancel_all, close_queue
from llm_orc.engine.surprises import as_error
from llm_orc.errors import BatchBudgetExceeded, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import TracebackType

    from llm_orc.batches.workers.row_executor import RowExecutor
    from llm_orc.batches.workers.worker_store import WorkerStore
    from llm_orc.errors import StorageError
    from llm_orc.jsontypes import JsonValue


class Worker:
    """Enter it to start working, leave it to put unfinished work back. A process has one at a time.

    It gives the executor what the engine takes from the queues. `limits`, by provider, become those of all workers
    where several share the store.
    """

    def __init__(
        self,
        store: WorkerStore,
        executor: RowExecutor,
        *,
        limits: Mapping[str, SharedLimits] | None = None,
        heartbeats: Heartbeats | None = None,
        on_wait: Callable[[StorageError], None] = lambda _error: None,
        on_note: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        """`on_wait` is called when the worker starts to wait for a server that is out of reach at the start.

        `on_note` is called with a sentence for each piece of foreign work that was removed from the store.
        """
        self.store, self.executor = store, executor
        self._limits = (limits or {}) if store.url.is_shared else {}
        self._heartbeats = heartbeats or Heartbeats()
        self._membership = Membership(store.engine, store.worker_id, store.url, self._heartbeats)
        self._on_wait, self._on_note = on_wait, on_note
        self._is_launched = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Join the workers of the store, and start. Raises `StoreBusy`, `StorageError`."""
        store_url = self.store.url
        try:
            await retry_while_away(
                self._join, start_patience_s, lambda e: self._on_wait(store_error(store_url, e))
            )
        except sa.exc.SQLAlchemyError as e:
            raise store_error(store_url, e) from None
        background = [
            self._membership.maintain(self.store.client, self.executor.in_flight, self.executor.evict),
            clean_up_regularly(self.store.engine, self.store.client),
            watch_for_foreign_work(self.store.engine, store_url, self._on_note, self._heartbeats.check_s),
            self.executor.follow_queued_agents(),
        ]
        self._tasks += [asyncio.create_task(self._in_background(work)) for work in background]
        return self

    async def _in_background(self, work: Coroutine[object, object, None]) -> None:
        """Stop if `work` fails: a worker that sends no heartbeats, or hears no answers, must not continue."""
        try:
            await work
        except StoreFailure as e:
            self.executor.stop(store_error(self.store.url, e))
        except Exception as e:  # noqa: BLE001 - a background task's error would go unnoticed
            self.executor.stop(as_error(e))

    async def _join(self) -> None:
        """Do all that the start needs of the store; if a part of it fails, undo the rest."""
        store = self.store
        await asyncio.to_thread(make_tables, store.url, store.engine)
        try:
            await asyncio.to_thread(self._membership.join)
            for sentence in await asyncio.to_thread(remove_foreign_work, store.engine, store.url, waiting=True):
                self._on_note(sentence)
            self._launch()
            await asyncio.to_thread(self._membership.recover_all, store.client)
            await asyncio.to_thread(set_limits, store.engine, store.client, self._limits)
        except BaseException:
            await asyncio.shield(self._leave())
            raise

    async def _leave(self) -> None:
        if self._is_launched:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            # The engine has made its own threads the loop's, and ended them.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
            self._is_launched = False
        # Where this fails, the next worker recovers what is left.
        with suppress(sa.exc.SQLAlchemyError, engine_errors.DBOSException, *DAMAGED_ROWS):
            await asyncio.to_thread(self._membership.leave, self.store.client)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel what is in flight, and queue it again for the next worker."""
        self.executor.stop()
        await asyncio.shield(self._put_back())

    async def _put_back(self) -> None:
        await self.executor.cancel()
        await self.executor.plan_waits.settled()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Where this fails, the next worker cleans up.
        with suppress(sa.exc.SQLAlchemyError, engine_errors.DBOSException, *DAMAGED_ROWS):
            await asyncio.to_thread(clean_up, self.store.engine, self.store.client)
        await self._leave()

    def _launch(self) -> None:
        self._is_launched = True
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self.store.url.sqlalchemy_url,
                "system_database_engine": self.store.engine,
                "application_version": APPLICATION_VERSION,
                "executor_id": self.store.worker_id,
                "serializer": engine_serializer(),
                "log_level": "CRITICAL",  # it logs tracebacks and advertises a service
            }
        )
        executor = self.executor

        async def row(batch_id: str, number: int, attempt: int) -> str:
            return await executor.run_row(batch_id, number, attempt)

        async def agent(
            row: str, agent: str, prompt: str, texts: dict[str, str] | None = None, files: JsonValue = None
        ) -> str:
            return await executor.run_agent(row, agent, prompt, texts or {}, files_of(files) or ())

        DBOS.workflow(name=ROW_WORKFLOW, max_recovery_attempts=None)(row)
        DBOS.workflow(name=AGENT_WORKFLOW, max_recovery_attempts=None)(agent)
        if executor.only is not None:
            DBOS.listen_queues([*map(queue_of, executor.only), *map(limit_queue, self._limits)])
        DBOS.launch()

    async def set_refused_aside(self) -> list[tuple[str, LlmOrcError]]:
        """Stop working on the batches that a call was refused for; return them, with the errors."""
        refused = list(self.executor.refused.items())
        for batch_id, error in refused:
            if isinstance(error, BatchBudgetExceeded):
                await self._set_aside(batch_id)
            else:  # another process's batch, and that process asks for its agents again
                await self.executor.cancel(batch_id)
                await in_store(partial(self._membership.cancel_held, self.store.client, batch_id))
                self.executor.refused.pop(batch_id, None)
        return refused

    def notice_spent(self, batch_id: str) -> None:
        """Refuse the batch here too if another worker has found its budget spent. Blocks."""
        batch = self.store.batches.batch(batch_id)
        if batch is not None and batch.state == "spent":
            self.executor.refused.setdefault(batch_id, BatchBudgetExceeded("its budget is spent"))

    async def _set_aside(self, batch_id: str) -> None:
        """Let rows wait until the batch is submitted with more; its queued agents would hold up other batches."""
        store = self.store
        await in_store(partial(store.batches.mark_spent, batch_id))
        await in_store(partial(close_queue, store.client, batch_id))
        await self.executor.settled(batch_id)
        await self.executor.cancel(batch_id)
        await in_store(partial(cancel_all, store.client, f"{batch_id}:", AGENT_WORKFLOW))
        await in_store(partial(self._membership.requeue_held, store.client, batch_id))
        self.executor.refused.pop(batch_id, None)
