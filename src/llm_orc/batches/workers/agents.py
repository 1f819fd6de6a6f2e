"""Agents whose provider has a limit over all workers: each is its own workflow, on its provider's queue."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.agents.files.ref import as_json
from llm_orc.batches.batch import AGENT_WORKFLOW
from llm_orc.batches.database import in_store
from llm_orc.batches.tables import BATCHES, ENGINE_WORKFLOWS, engine_connection
from llm_orc.batches.workers.foreign_work import DAMAGED_ROWS
from llm_orc.batches.workers.limits import limit_queue, limited_providers
from llm_orc.batches.workers.queues import requeue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

    from llm_orc.agents.turn import AgentTurn

_POLL_S = 0.15
_CHECK_DELETED_EVERY = 20  # polls
_SPENT_POLL_S = 1.0
_FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class AgentWaits(Exception):
    """The agent waits on its queue for a plan, until then (Unix seconds)."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


class QueuedAgents:
    """Queues agents and waits for their answers, with one query of the store for all of them."""

    def __init__(self, engine: sa.Engine, client: DBOSClient, application_version: str) -> None:
        self._engine, self._client, self._version = engine, client, application_version
        self._waiting: dict[str, asyncio.Future[WorkflowStatus]] = {}

    async def limited(self) -> frozenset[str]:
        """Return the providers whose agents are queued."""
        return await in_store(partial(limited_providers, self._engine))

    async def call(self, row: str, turn: AgentTurn, provider: str) -> str:
        """Return the outcome of the agent as text, whichever worker called it. Calling this again is harmless.

        `row` is the id of the row's workflow. Raises `AgentWaits`; and `RuntimeError` if the agent's workflow
        failed, which is a bug: a failed agent is an outcome.
        """
        name, queue = f"{row}:{turn.path}", limit_queue(provider)
        await in_store(partial(self._enqueue, name, row, turn, queue=queue))
        while (over := await self._finished(name)).status == "CANCELLED":
            if await in_store(partial(self._is_cancelled, row)):
                await asyncio.get_running_loop().create_future()  # its own cancellation is on its way
            # It was cancelled with its batch, which continues now, or once its budget is raised.
            while await in_store(partial(self._is_spent, row)):  # noqa: ASYNC110 - another process raises it
                await asyncio.sleep(_SPENT_POLL_S)
            await in_store(partial(requeue, self._engine, [over], queue))
        if over.status == "DELAYED":
            raise AgentWaits(await in_store(partial(self._delayed_until, name)))
        if over.error is not None or not isinstance(over.output, str):
            raise RuntimeError(f"agent workflow {name} ended with {over.status}: {over.error}")
        return over.output

    async def forget(self, row: str, agents: Iterable[str]) -> None:
        """Take agents of the row off their queues: their answers are no longer needed."""
        await in_store(partial(self._client.cancel_workflows, [f"{row}:{agent}" for agent in sorted(agents)]))

    def _is_cancelled(self, row: str) -> bool:
        found = self._client.list_workflows(workflow_ids=[row], load_input=False, load_output=False)
        return [status.status for status in found] == ["CANCELLED"]

    def _delayed_until(self, name: str) -> float:
        of = ENGINE_WORKFLOWS.c
        with engine_connection(self._engine) as connection:
            until_ms = connection.execute(
                sa.select(of.delay_until_epoch_ms).where(of.workflow_uuid == name)
            ).scalar()
        return (until_ms or 0) / 1000

    def _is_spent(self, row: str) -> bool:
        this = BATCHES.c.batch_id == row.partition(":")[0]
        with self._engine.connect() as connection:
            return connection.execute(sa.select(BATCHES.c.state).where(this)).scalar() == "spent"

    def _enqueue(self, name: str, row: str, turn: AgentTurn, *, queue: str) -> None:
        options: EnqueueOptions = {
            "workflow_name": AGENT_WORKFLOW,
            "queue_name": queue,
            "workflow_id": name,
            "app_version": self._version,
        }
        more: list[object] = [dict(turn.texts)] if turn.texts or turn.files else []
        more += [[as_json(one) for one in turn.files]] if turn.files else []
        self._client.enqueue(options, row, turn.path, turn.prompt, *more)  # earlier workers know no more than that

    async def _finished(self, name: str) -> WorkflowStatus:
        """Return the finished workflow. Raises `LookupError` if it is gone because its batch was deleted."""
        future = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            return await future
        finally:
            self._waiting.pop(name, None)

    async def poll(self) -> None:
        """Poll the store for the agents that are waited for, until cancelled."""
        polls = 0
        while True:
            await asyncio.sleep(_POLL_S)
            polls += 1
            with suppress(*DAMAGED_ROWS):  # which will be removed
                await self._poll_once(polls)

    async def _poll_once(self, polls: int) -> None:
        asked = list(self._waiting)
        if asked:
            for status in await in_store(partial(self._find, asked, [*_FINISHED, "DELAYED"])):
                future = self._waiting.get(status.workflow_id)
                if future is not None and not future.done():
                    future.set_result(status)
        if asked and polls % _CHECK_DELETED_EVERY == 0:
            await self._fail_deleted(asked)

    async def _fail_deleted(self, asked: list[str]) -> None:
        there = {status.workflow_id for status in await in_store(partial(self._find, asked, None))}
        for name in set(asked) - there:
            future = self._waiting.get(name)
            if future is not None and not future.done():
                future.set_exception(LookupError(f"agent workflow {name} is gone"))

    def _find(self, names: list[str], status: list[str] | None) -> list[WorkflowStatus]:
        return self._client.list_workflows(
            workflow_ids=names, status=status, load_input=False, load_output=status is not None
        )
