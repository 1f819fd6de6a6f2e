"""Which workers a store has: a worker joins, sends heartbeats, evicts those that have died, and leaves.

A file has one worker, which holds a lock on it. On PostgreSQL each worker holds an advisory lock, on a connection
of its own. A worker whose lock is gone, or whose last heartbeat is old, at two checks in a row is evicted: it is
deleted from the table of workers, and its rows are queued again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from dbos import error as engine_errors

from llm_orc.batches.database import CONNECT, is_away
from llm_orc.batches.glance import is_worked_on
from llm_orc.batches.store_url import lock_file
from llm_orc.batches.tables import WORKERS
from llm_orc.batches.workers.foreign_work import DAMAGED_ROWS
from llm_orc.batches.workers.queues import requeue
from llm_orc.batches.workers.recovery import recover_workflows
from llm_orc.dataclass import dataclass
from llm_orc.errors import StoreBusy
from llm_orc.storage.lock import exclusive, holder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dbos import DBOSClient, WorkflowStatus

    from llm_orc.batches.store_url import StoreUrl
    from llm_orc.batches.workers.in_flight import InFlight

_ONLY_ONE_EVICTS = sa.text("SELECT pg_try_advisory_xact_lock(7308065)")
_LOCKED = sa.text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """How often a worker sends a heartbeat, how often it checks the others, and when one counts as dead."""

    interval_s: float = 1.0
    check_s: float = 3.0  # long enough for a live worker to take its lock again after a restart of the server
    dead_after_s: float = 30.0


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker that has joined and not left, as `llm-orc workers` shows it."""

    worker_id: str
    host: str
    pid: int
    started_at: float
    heartbeat_age_s: float  # since its last heartbeat
    rows: int  # that it carries out
    agents: int  # that it calls for rows of other workers


class Evicted(Exception):
    """Another worker took this one for dead and queued its rows again: it must not send any call."""


class Membership:
    """One worker among those of a store. All methods but `maintain` block."""

    def __init__(self, engine: sa.Engine, worker_id: str, store_url: StoreUrl, heartbeats: Heartbeats) -> None:
        self._engine, self._worker_id, self._store_url, self._heartbeats = engine, worker_id, store_url, heartbeats
        self._stack = ExitStack()
        self._lock: sa.Connection | None = None
        self._lock_key = _lock_key(worker_id)
        self._suspects: set[str] = set()
        self._checked_at = self._requeued_at = 0.0
        self._dropped: set[str] = set()

    def join(self) -> None:
        """Enter this worker into the table. Raises `StoreBusy` if the store is a file with another worker."""
        if self._store_url.path is not None:
            path = lock_file(self._store_url.path)
            if not self._stack.enter_context(exclusive(path)):
                raise _busy(self._store_url, path, "process")
            with self._engine.begin() as connection:
                connection.execute(sa.delete(WORKERS))
        else:
            self._relock()
        self._register()

    def _register(self) -> None:
        """Doing it twice is harmless."""
        with self._engine.begin() as connection:
            now = self._now(connection)
            connection.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id == self._worker_id))
            connection.execute(
                sa.insert(WORKERS).values(
                    worker_id=self._worker_id,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    started_at=now,
                    seen_at=now,
                    lock_key=self._lock_key,
                )
            )

    def leave(self, client: DBOSClient) -> None:
        """Queue again what this worker holds, and delete it from the table."""
        try:
            requeue(self._engine, _pending(client, [self._worker_id]))
            with self._engine.begin() as connection:
                connection.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id == self._worker_id))
        finally:
            self._unlock()
            self._stack.close()

    def cancel_held(self, client: DBOSClient, batch_id: str) -> None:
        """Cancel what this worker holds of one batch. The worker that waits for it queues it again."""
        held = _pending(client, [self._worker_id])
        ours = [status.workflow_id for status in held if status.workflow_id.startswith(f"{batch_id}:")]
        if ours:
            client.cancel_workflows(ours)

    def requeue_held(self, client: DBOSClient, batch_id: str) -> None:
        """Queue again what this worker holds of one batch."""
        held = _pending(client, [self._worker_id])
        requeue(self._engine, [status for status in held if status.workflow_id.startswith(f"{batch_id}:")])

    async def maintain(self, client: DBOSClient, in_flight: InFlight, on_evicted: Callable[[], None]) -> None:
        """Send a heartbeat each second, and recover the rows of workers that send none, until cancelled.

        If another worker has evicted this one, call `on_evicted` and return. The process can join again, with
        another id.
        """
        while True:
            await asyncio.sleep(self._heartbeats.interval_s)
            try:
                if not await asyncio.to_thread(self._send_heartbeat):
                    on_evicted()
                    return
                if self._store_url.is_shared:
                    await asyncio.to_thread(self._check_others, client)
                await asyncio.to_thread(self._requeue_dropped, client, in_flight)
            except (engine_errors.DBOSException, *DAMAGED_ROWS):
                continue  # a workflow was deleted after it was listed, or is damaged and will be removed
            except sa.exc.DBAPIError as e:
                if not is_away(e):  # a full disk
                    raise
                # The server is out of reach, so what was seen of other workers no longer counts.
                self._suspects.clear()
                self._unlock()

    def _requeue_dropped(self, client: DBOSClient, in_flight: InFlight) -> None:
        """Queue again what this worker holds in the store and does not carry out, at two checks in a row.

        The engine takes rows in a transaction. If the server stops at its end, it may not learn that it has them.
        """
        since_s = time.monotonic() - self._requeued_at
        if since_s < self._heartbeats.check_s:
            return
        if since_s > 2 * self._heartbeats.check_s:  # suspended: rows may be held that are about to start
            self._dropped.clear()
        self._requeued_at = time.monotonic()
        dropped = {s.workflow_id: s for s in _pending(client, [self._worker_id])}
        dropped = {name: s for name, s in dropped.items() if name not in in_flight.names}
        certain = [status for name, status in dropped.items() if name in self._dropped]
        self._dropped = set(dropped)
        requeue(self._engine, certain)

    def _send_heartbeat(self) -> bool:
        if self._store_url.is_shared and self._lock is None:
            self._relock()
            self._suspects.clear()
            self._checked_at = time.monotonic()
        if self._lock is not None:  # its connection is always free, however busy the others are
            return self._mark_seen(self._lock)
        with self._engine.begin() as connection:
            return self._mark_seen(connection)

    def _mark_seen(self, connection: sa.Connection) -> bool:
        seen = sa.update(WORKERS).where(WORKERS.c.worker_id == self._worker_id)
        return connection.execute(seen.values(seen_at=self._now(connection))).rowcount == 1

    def _check_others(self, client: DBOSClient) -> None:
        if time.monotonic() - self._checked_at < self._heartbeats.check_s:
            return
        self._checked_at = time.monotonic()
        dead = self._dead_workers(client)
        certain, self._suspects = dead & self._suspects, dead
        if certain:
            self._recover(client, sorted(certain))

    def _dead_workers(self, client: DBOSClient) -> set[str]:
        with self._engine.connect() as connection:
            now = self._now(connection)
            held = set(connection.execute(_LOCKED).scalars())
            workers = connection.execute(sa.select(WORKERS)).all()
        alive = {
            w.worker_id for w in workers if w.lock_key in held and now - w.seen_at < self._heartbeats.dead_after_s
        }
        joined = {w.worker_id for w in workers}
        holders = {status.executor_id for status in _pending(client, None)}
        return {name for name in joined | holders if name is not None} - alive - {self._worker_id}

    def recover_all(self, client: DBOSClient) -> None:
        """Recover the rows that earlier processes left in a file, which has only this worker."""
        if not self._store_url.is_shared:
            left = [status for status in _pending(client, None) if status.executor_id != self._worker_id]
            recover_workflows(self._engine, client, left)

    def _recover(self, client: DBOSClient, dead: Sequence[str]) -> None:
        self._suspects -= set(dead)
        with self._engine.begin() as connection:
            if not connection.execute(_ONLY_ONE_EVICTS).scalar_one():
                return  # another worker does it; check them twice again
            # Committed at once, on another connection: a worker that was only suspended must see it first.
            with self._engine.begin() as other:
                other.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id.in_(dead)))
            recover_workflows(self._engine, client, _pending(client, dead))

    def _relock(self) -> None:
        self._unlock()
        own = sa.create_engine(self._engine.url, poolclass=sa.NullPool, connect_args=CONNECT)
        self._lock = own.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            self._lock.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": self._lock_key})
        except BaseException:
            self._unlock()
            raise

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.invalidate()
            self._lock.close()
            self._lock = None

    def _now(self, connection: sa.Connection) -> float:
        """Return the time by the store's clock if machines share it, else by this machine's."""
        if not self._store_url.is_shared:
            return time.time()
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


@contextmanager
def only_worker_on_file(store_url: StoreUrl) -> Iterator[None]:
    """Be the one `llm-orc worker` of a file, on which it comes and goes. Raises `StoreBusy` if there is one."""
    if store_url.path is None:
        yield
        return
    path = store_url.path.with_name(f"{store_url.path.name}.worker.lock")
    with exclusive(path) as is_alone:
        if not is_alone:
            raise _busy(store_url, path, "worker")
        yield


def _busy(store_url: StoreUrl, lock: Path, holder: str) -> StoreBusy:
    return StoreBusy(
        f"another {holder} ({holder_of(lock) or 'unknown'}) works on `{store_url}`",
        hint="A file has one worker at a time. For several workers: `--store postgresql://user@host/database`.",
    )


def is_in_use(store_url: StoreUrl) -> bool:
    """Whether a process holds the lock of this file. True for PostgreSQL, where a quick check isn't possible."""
    return store_url.path is None or is_worked_on(store_url.path)


def workers_of(engine: sa.Engine, client: DBOSClient, now: float) -> list[WorkerStatus]:
    """Return the workers that have joined and not left, oldest first."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            now = float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        workers = connection.execute(sa.select(WORKERS).order_by(WORKERS.c.started_at)).all()
    held = _pending(client, [w.worker_id for w in workers]) if workers else []
    rows = [status.executor_id for status in held if status.workflow_id.count(":") == 2]
    agents = [status.executor_id for status in held if status.workflow_id.count(":") > 2]
    return [
        WorkerStatus(
            worker_id=w.worker_id,
            host=w.host,
            pid=w.pid,
            started_at=w.started_at,
            heartbeat_age_s=max(0.0, now - w.seen_at),
            rows=rows.count(w.worker_id),
            agents=agents.count(w.worker_id),
        )
        for w in workers
    ]


def _pending(client: DBOSClient, workers: list[str] | Sequence[str] | None) -> list[WorkflowStatus]:
    executors = None if workers is None else list(workers)
    return client.list_workflows(status="PENDING", executor_id=executors, load_input=False, load_output=False)


def _lock_key(worker_id: str) -> int:
    """Return a key of 63 bits for an advisory lock."""
    return int.from_bytes(hashlib.sha256(worker_id.encode()).digest()[:8], "big") >> 1
