"""Who works on a store, who has gone without a word, and whose rows are therefore queued again.

A file is one worker's alone, by a lock of the system. On PostgreSQL each worker holds an advisory lock on a
connection of its own; one that lost it, or is silent for long, is taken for dead after two looks.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from dbos import error as engine_errors

from llm_orc.batches.database import CONNECT, is_away
from llm_orc.batches.tables import WORKERS
from llm_orc.batches.workers.foreign_work import DAMAGED
from llm_orc.batches.workers.queues import queue_again
from llm_orc.batches.workers.recovery import queue_what_is_left
from llm_orc.errors import StoreBusy
from llm_orc.storage.lock import exclusive, holder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dbos import DBOSClient, WorkflowStatus

    from llm_orc.batches.store_url import Place
    from llm_orc.batches.workers.in_flight import InFlight

_TAKING_OVER = sa.text("SELECT pg_try_advisory_xact_lock(7308065)")
_LOCKED = sa.text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a worker says that it lives, and when one that doesn't is taken for dead, in seconds."""

    beat_s: float = 1.0
    look_s: float = 3.0  # between two looks; a live worker locks again sooner, after the server was restarted
    silent_s: float = 30.0


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker that has joined and not left."""

    worker_id: str
    host: str
    pid: int
    started_at: float
    seen_s: float  # since it was seen
    rows: int  # that it holds
    agents: int  # that it holds for rows of others


class Evicted(Exception):
    """Others took this worker for dead and have its work: it must not begin any call."""


class Membership:
    """One worker's place among the others. Its methods block, but for `tend`."""

    def __init__(self, engine: sa.Engine, worker_id: str, place: Place, pace: Pace) -> None:
        self._engine, self._worker_id, self._place, self._pace = engine, worker_id, place, pace
        self._stack = ExitStack()
        self._lock: sa.Connection | None = None
        self._lock_key = _lock_key(worker_id)
        self._suspects: set[str] = set()
        self._looked_at = self._picked_at = 0.0
        self._dropped: set[str] = set()

    # --- coming and going ---------------------------------------------------------------------------------

    def join(self) -> None:
        """Raises `StoreBusy` where the store is a file that another process works on."""
        if self._place.path is not None:
            path = lock_file(self._place)
            if not self._stack.enter_context(exclusive(path)):
                raise _busy(self._place, path, "process")
            with self._engine.begin() as connection:
                connection.execute(sa.delete(WORKERS))
        else:
            self._lock_again()
        self._register()

    def _register(self) -> None:
        """Twice is as good as once."""
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
        """Queue again what we hold, and go."""
        try:
            queue_again(self._engine, _pending(client, [self._worker_id]))
            with self._engine.begin() as connection:
                connection.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id == self._worker_id))
        finally:
            self._unlock()
            self._stack.close()

    def refuse(self, client: DBOSClient, batch_id: str) -> None:
        """Cancel what we hold of one batch: whoever waits for it queues it again."""
        held = _pending(client, [self._worker_id])
        ours = [status.workflow_id for status in held if status.workflow_id.startswith(f"{batch_id}:")]
        if ours:
            client.cancel_workflows(ours)

    def put_back(self, client: DBOSClient, batch_id: str) -> None:
        """Queue again what we hold of one batch."""
        held = _pending(client, [self._worker_id])
        queue_again(self._engine, [status for status in held if status.workflow_id.startswith(f"{batch_id}:")])

    # --- staying ------------------------------------------------------------------------------------------

    async def keep(self, client: DBOSClient, in_flight: InFlight, on_evicted: Callable[[], None]) -> None:
        """Send a heartbeat each second, and recover the rows of workers that send none, until cancelled.

        Where others took this worker for dead, call `on_evicted` and return: the process can join again, with
        another id.
        """
        while True:
            await asyncio.sleep(self._pace.beat_s)
            try:
                if not await asyncio.to_thread(self._beat):
                    on_evicted()
                    return
                if self._place.is_shared:
                    await asyncio.to_thread(self._look, client)
                await asyncio.to_thread(self._pick_up, client, in_flight)
            except (engine_errors.DBOSException, *DAMAGED):  # what was listed is gone meanwhile, or is taken out
                continue
            except sa.exc.DBAPIError as e:
                if not is_away(e):  # a full disk
                    raise
                # The server is away: what we saw of others counts no more.
                self._suspects.clear()
                self._unlock()

    def _pick_up(self, client: DBOSClient, in_flight: InFlight) -> None:
        """Queue again what the engine says is ours and nobody here works on, after two looks.

        It claims rows in a transaction whose end it may not hear of where the server goes away.
        """
        since_s = time.monotonic() - self._picked_at
        if since_s < self._pace.look_s:
            return
        if since_s > 2 * self._pace.look_s:  # we were stopped, and are about to begin what we had claimed
            self._dropped.clear()
        self._picked_at = time.monotonic()
        dropped = {s.workflow_id: s for s in _pending(client, [self._worker_id])}
        dropped = {name: s for name, s in dropped.items() if name not in in_flight.names}
        certain = [status for name, status in dropped.items() if name in self._dropped]
        self._dropped = set(dropped)
        queue_again(self._engine, certain)

    def _beat(self) -> bool:
        if self._place.is_shared and self._lock is None:
            self._lock_again()
            self._suspects.clear()
            self._looked_at = time.monotonic()
        if self._lock is not None:  # a connection of its own: however busy the others are, we say that we live
            return self._seen(self._lock)
        with self._engine.begin() as connection:
            return self._seen(connection)

    def _seen(self, connection: sa.Connection) -> bool:
        seen = sa.update(WORKERS).where(WORKERS.c.worker_id == self._worker_id)
        return connection.execute(seen.values(seen_at=self._now(connection))).rowcount == 1

    def _look(self, client: DBOSClient) -> None:
        if time.monotonic() - self._looked_at < self._pace.look_s:
            return
        self._looked_at = time.monotonic()
        dead = self._without_life(client)
        certain, self._suspects = dead & self._suspects, dead
        if certain:
            self._take_over(client, sorted(certain))

    def _without_life(self, client: DBOSClient) -> set[str]:
        with self._engine.connect() as connection:
            now = self._now(connection)
            held = set(connection.execute(_LOCKED).scalars())
            workers = connection.execute(sa.select(WORKERS)).all()
        alive = {w.worker_id for w in workers if w.lock_key in held and now - w.seen_at < self._pace.silent_s}
        joined = {w.worker_id for w in workers}
        holders = {status.executor_id for status in _pending(client, None)}
        return {name for name in joined | holders if name is not None} - alive - {self._worker_id}

    # --- taking over --------------------------------------------------------------------------------------

    def take_over_all(self, client: DBOSClient) -> None:
        """Queue again what earlier processes left, where the store is ours alone."""
        if not self._place.is_shared:
            left = [status for status in _pending(client, None) if status.executor_id != self._worker_id]
            queue_what_is_left(self._engine, client, left)

    def _take_over(self, client: DBOSClient, dead: Sequence[str]) -> None:
        self._suspects -= set(dead)
        with self._engine.begin() as connection:
            if not connection.execute(_TAKING_OVER).scalar_one():
                return  # another worker does it; look at them twice again
            # On a connection of its own, and at once: a dead worker that wakes up must see it before all else.
            with self._engine.begin() as other:
                other.execute(sa.delete(WORKERS).where(WORKERS.c.worker_id.in_(dead)))
            queue_what_is_left(self._engine, client, _pending(client, dead))

    # --- the lock -----------------------------------------------------------------------------------------

    def _lock_again(self) -> None:
        self._unlock()
        own = sa.create_engine(self._engine.url, poolclass=sa.NullPool, connect_args=CONNECT)
        connection = own.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": self._lock_key})
        self._lock = connection

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.invalidate()
            self._lock.close()
            self._lock = None

    def _now(self, connection: sa.Connection) -> float:
        """The store's clock, where machines share it."""
        if not self._place.is_shared:
            return time.time()
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def lock_file(place: Place) -> Path:
    """Return the file that a worker on a file holds."""
    assert place.path is not None
    return place.path.with_name(f"{place.path.name}.lock")


@contextmanager
def only_worker(place: Place) -> Iterator[None]:
    """Be the one that works on whatever is to be done in a file. Raises `StoreBusy` where another already is."""
    if place.path is None:
        yield
        return
    path = place.path.with_name(f"{place.path.name}.worker.lock")
    with exclusive(path) as is_alone:
        if not is_alone:
            raise _busy(place, path, "worker")
        yield


def _busy(place: Place, lock: Path, who: str) -> StoreBusy:
    return StoreBusy(
        f"another {who} ({holder_of(lock) or 'unknown'}) works on `{place}`",
        hint="A file is one process's. For several workers: `--store postgresql://user@host/database`",
    )


def is_worked_on(place: Place) -> bool:
    """Does a process have this file for itself? On PostgreSQL it is not known at once, so True."""
    if place.path is None:
        return True
    with exclusive(lock_file(place)) as is_free:
        return not is_free


def workers_of(engine: sa.Engine, client: DBOSClient, now: float) -> list[WorkerSeen]:
    """Return the workers that have joined and not left, the oldest first."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            now = float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        workers = connection.execute(sa.select(WORKERS).order_by(WORKERS.c.started_at)).all()
    held = _pending(client, [w.worker_id for w in workers]) if workers else []
    rows = [status.executor_id for status in held if status.workflow_id.count(":") == 2]
    agents = [status.executor_id for status in held if status.workflow_id.count(":") > 2]
    return [
        WorkerSeen(
            worker_id=w.worker_id,
            host=w.host,
            pid=w.pid,
            started_at=w.started_at,
            seen_s=max(0.0, now - w.seen_at),
            rows=rows.count(w.worker_id),
            agents=agents.count(w.worker_id),
        )
        for w in workers
    ]


def _pending(client: DBOSClient, workers: list[str] | Sequence[str] | None) -> list[WorkflowStatus]:
    executors = None if workers is None else list(workers)
    return client.list_workflows(status="PENDING", executor_id=executors, load_input=False, load_output=False)


def _lock_key(worker_id: str) -> int:
    """A key of 63 bits from the worker's id."""
    return int.from_bytes(hashlib.sha256(worker_id.encode()).digest()[:8], "big") >> 1
