"""Limits that all workers of a PostgreSQL share: on calls in flight, and on requests and tokens per minute.

The durable engine limits calls in flight: each agent is its own workflow, on its provider's queue. Rates are
limited by a row in our table, from which a worker reserves a start immediately before each attempt. Starts are
evenly spaced, so that no window has more of them than the limit, plus one for each worker that was slow between
its reservation and its call.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.database import in_store, one_statement
from llm_orc.batches.tables import LIMITS
from llm_orc.batches.workers.membership import Evicted
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbos import DBOSClient

_MINUTE_S = 60.0
_POLL_S = 0.1
_CACHED_S = 5.0  # the list of providers with limits

_RESERVE = sa.text(
    """
    UPDATE llm_orc_limits AS limits
    SET next_request_at = drawn.at + COALESCE(60.0 / limits.requests_per_minute, 0),
        next_tokens_at = drawn.at + COALESCE(60.0 * :tokens / limits.tokens_per_minute, 0)
    FROM (
        SELECT key, extract(epoch FROM clock_timestamp()) AS now,
               GREATEST(next_request_at, next_tokens_at, extract(epoch FROM clock_timestamp())) AS at
        FROM llm_orc_limits WHERE key = :key FOR UPDATE
    ) AS drawn
    WHERE limits.key = drawn.key
      AND EXISTS (SELECT 1 FROM llm_orc_workers WHERE worker_id = :worker)
    RETURNING drawn.at - drawn.now
    """
)


@dataclass(frozen=True, slots=True)
class SharedLimits:
    """How much all workers together may call one provider. None: no limit."""

    concurrent: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


def limit_queue(provider: str) -> str:
    return f"limit:{provider}"


def set_limits(engine: sa.Engine, client: DBOSClient, limits: Mapping[str, SharedLimits]) -> None:
    """Make these the limits of all workers from now on. Providers that are not in `limits` keep theirs.

    A provider whose limits are removed keeps its queue, since agents may be on it.
    """
    known = limited_providers(engine)
    for provider, limit in limits.items():
        if limit == SharedLimits() and provider not in known:
            continue
        client.register_queue(
            limit_queue(provider),
            global_concurrency=limit.concurrent,
            polling_interval_sec=_POLL_S,
            on_conflict="always_update",
        )
        values = {
            "requests_per_minute": limit.requests_per_minute,
            "tokens_per_minute": limit.tokens_per_minute,
        }
        with suppress(sa.exc.IntegrityError), engine.begin() as connection:  # another process inserted it first
            if provider not in known:
                connection.execute(sa.insert(LIMITS).values(key=provider))
        with engine.begin() as connection:
            connection.execute(sa.update(LIMITS).where(LIMITS.c.key == provider).values(**values))


def limited_providers(engine: sa.Engine) -> frozenset[str]:
    with engine.connect() as connection:
        return frozenset(connection.execute(sa.select(LIMITS.c.key)).scalars())


class SharedGate:
    """A `Gate` over all workers: reserves the start of each attempt in the store, and waits for it."""

    def __init__(self, engine: sa.Engine, worker_id: str) -> None:
        self._engine, self._worker_id = engine, worker_id
        self._limited: tuple[frozenset[str], float] = (frozenset(), -math.inf)
        self._locks: dict[str, asyncio.Lock] = {}  # by provider

    async def start(self, provider: str, tokens: int) -> None:
        """Return when a call of so many tokens may start. Raises `Evicted`."""
        if time.monotonic() - self._limited[1] > _CACHED_S:
            self._limited = (await in_store(partial(limited_providers, self._engine)), time.monotonic())
        if provider not in self._limited[0]:
            return
        # One at a time: a worker that is held up is late with one start, and reserves the next ones afterwards.
        async with self._locks.setdefault(provider, asyncio.Lock()):
            start_at = await in_store(partial(self._reserve, provider, tokens))
            if (wait_s := start_at - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)

    async def ended(self, provider: str, reserved: int, used: int) -> None:
        """Replace the `reserved` tokens by those that the provider has counted."""
        if reserved != used and provider in self._limited[0]:
            await in_store(partial(self._correct, provider, used - reserved))

    def _reserve(self, provider: str, tokens: int) -> float:
        """Reserve a start; return it by the monotonic clock of this process. Raises `Evicted`."""
        with one_statement(self._engine) as connection:
            values = {"key": provider, "tokens": tokens, "worker": self._worker_id}
            wait_s = connection.execute(_RESERVE, values).scalar_one_or_none()
            if wait_s is None:
                raise Evicted(self._worker_id)
            return time.monotonic() + float(wait_s)

    def _correct(self, provider: str, more: int) -> None:
        later = LIMITS.c.next_tokens_at + _MINUTE_S * more / LIMITS.c.tokens_per_minute
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(LIMITS)
                .where(LIMITS.c.key == provider, LIMITS.c.tokens_per_minute.is_not(None))
                .values(next_tokens_at=later)
            )
