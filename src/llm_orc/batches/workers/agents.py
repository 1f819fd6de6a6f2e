"""Agents whose provider has a limit over all workers: each is a workflow of its own, on its provider's queue."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_orc.batches.batch import AGENT_WORKFLOW
from llm_orc.batches.database import in_store
from llm_orc.batches.tables import BATCHES
from llm_orc.batches.workers.foreign_work import DAMAGED
from llm_orc.batches.workers.limits import limit_queue, limited_providers
from llm_orc.batches.workers.queues import queue_again

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

_LOOK_S = 0.15
_GONE_EVERY = 20  # looks
_SPENT_LOOK_S = 1.0
_OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class QueuedAgents:
    """Puts agents on queues and waits for them, with one question to the store for all of them."""

    def __init__(self, engine: sa.Engine, client: DBOSClient, application_version: str) -> None:
        self._engine, self._client, self._version = engine, client, application_version
        self._waiting: dict[str, asyncio.Future[WorkflowStatus]] = {}

    async def limited(self) -> frozenset[str]:
        """Return the providers whose agents go on queues."""
        return await in_store(partial(limited_providers, self._engine))

    async def ask(self, row: str, agent: str, prompt: str, provider: str) -> str:
        """Return the outcome of `agent`, whichever worker asked it. After a crash it may be repeated.

        `row` is the workflow of the row. Raises `RuntimeError` where the workflow failed: a bug, no failed agent.
        """
        name, queue = f"{row}:{agent}", limit_queue(provider)
        await in_store(partial(self._enqueue, name, row, agent, prompt, queue=queue))
        while (over := await self._over(name)).status == "CANCELLED":
            if await in_store(partial(self._is_cancelled, row)):
                await asyncio.get_running_loop().create_future()  # and is told soon
            # It was cancelled with its batch, which goes on now, or once its budget is raised.
            while await in_store(partial(self._is_spent, row)):  # noqa: ASYNC110 - others raise it
                await asyncio.sleep(_SPENT_LOOK_S)
            await in_store(partial(queue_again, self._engine, [over], queue))
        if over.error is not None or not isinstance(over.output, str):
            raise RuntimeError(f"agent workflow {name} ended with {over.status}: {over.error}")
        return over.output

    async def forget(self, row: str, agents: Iterable[str]) -> None:
        """Take agents of the row off their queues."""
        await in_store(partial(self._client.cancel_workflows, [f"{row}:{agent}" for agent in sorted(agents)]))

    def _is_cancelled(self, row: str) -> bool:
        found = self._client.list_workflows(workflow_ids=[row], load_input=False, load_output=False)
        return [status.status for status in found] == ["CANCELLED"]

    def _is_spent(self, row: str) -> bool:
        this = BATCHES.c.batch_id == row.partition(":")[0]
        with self._engine.connect() as connection:
            return connection.execute(sa.select(BATCHES.c.state).where(this)).scalar() == "spent"

    def _enqueue(self, name: str, row: str, agent: str, prompt: str, *, queue: str) -> None:
        options: EnqueueOptions = {
            "workflow_name": AGENT_WORKFLOW,
            "queue_name": queue,
            "workflow_id": name,
            "app_version": self._version,
        }
        self._client.enqueue(options, row, agent, prompt)

    async def _over(self, name: str) -> WorkflowStatus:
        """Raises `LookupError` where the agent is gone: its batch was deleted."""
        future = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            return await future
        finally:
            self._waiting.pop(name, None)

    async def look(self) -> None:
        """Look again and again for those that are waited for; it ends when it is cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(_LOOK_S)
            looks += 1
            with suppress(*DAMAGED):  # and they are taken out
                await self._look_once(looks)

    async def _look_once(self, looks: int) -> None:
        asked = list(self._waiting)
        if asked:
            for status in await in_store(partial(self._find, asked, _OVER)):
                future = self._waiting.get(status.workflow_id)
                if future is not None and not future.done():
                    future.set_result(status)
        if asked and looks % _GONE_EVERY == 0:
            await self._tell_gone(asked)

    async def _tell_gone(self, asked: list[str]) -> None:
        there = {status.workflow_id for status in await in_store(partial(self._find, asked, None))}
        for name in set(asked) - there:
            future = self._waiting.get(name)
            if future is not None and not future.done():
                future.set_exception(LookupError(f"agent workflow {name} is gone"))

    def _find(self, names: list[str], status: list[str] | None) -> list[WorkflowStatus]:
        return self._client.list_workflows(
            workflow_ids=names, status=status, load_input=False, load_output=status is not None
        )
