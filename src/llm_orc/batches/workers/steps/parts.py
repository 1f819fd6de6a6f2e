"""The parts of rows as one worker stores and finds them: see `batches.parts`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from dbos import error as engine_errors

from llm_orc.agents.path import AgentPath
from llm_orc.batches.database import in_store
from llm_orc.batches.outcome import StepOutcome, decode_outcome
from llm_orc.batches.parts import NewPart, RowExecution, execution_of, parts_of, store_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_AT_ONCE = 200
_START = "[start]"  # before the path of an agent: no path begins so


class RowParts:
    """What has ended within the agents of one execution of a row, by path.

    `starts` says which agents that may start without others have started, and without whom.
    """

    def __init__(
        self,
        writer: PartWriter,
        of: RowExecution,
        stored: Mapping[str, StepOutcome],
        starts: Mapping[str, tuple[AgentPath, ...]],
    ) -> None:
        self._writer, self.of, self._stored, self.starts = writer, of, stored, starts

    def stored(self, path: str) -> StepOutcome | None:
        """Return the outcome that an earlier execution of the row has stored."""
        return self._stored.get(path)

    def series(self, path: str) -> list[StepOutcome]:
        """Return what has been stored at the path with `store_in_series`, in order."""
        found: list[StepOutcome] = []
        while (part := self._stored.get(_in_series(path, len(found)))) is not None:
            found.append(part)
        return found

    async def store_in_series(self, path: str, number: int, outcome: str) -> None:
        """Store one of several things of an agent that has not ended: see `store`."""
        await self.store(_in_series(path, number), outcome)

    async def store(self, path: str, outcome: str) -> None:
        """Return when the outcome is durable.

        Raises `DBOSWorkflowConflictIDError`, as the engine does for steps, if another execution has the row; and
        errors of the store.
        """
        await self._store(path, outcome)

    async def store_start(self, path: str, without: Sequence[AgentPath]) -> None:
        """Return when it is durable that the agent starts, and without whom. Raises what `store` raises."""
        if path not in self.starts:
            await self._store(f"{_START}{path}", msgspec.json.encode(without).decode())

    async def _store(self, path: str, text: str) -> None:
        if not await self._writer.store(NewPart(self.of, path, text)):
            raise engine_errors.DBOSWorkflowConflictIDError(self.of.workflow)


def _in_series(path: str, number: int) -> str:
    return f"{path}/[{number}]"  # no agent has this path


class PartWriter:
    """Writes the parts of all rows of a worker: those that come while it writes go into its next transaction."""

    def __init__(self, engine: sa.Engine, worker_id: str) -> None:
        self._engine, self._worker_id = engine, worker_id
        self._queue: list[tuple[NewPart, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def open_row(self, workflow: str) -> RowParts:
        """Return the parts of a row that this worker carries out.

        Raises `DBOSWorkflowConflictIDError` if the row is no longer its own, `MsgspecError` and `StorageError` for
        parts that are damaged.
        """
        # In this order: once the row is ours, no other execution adds parts.
        execution = await in_store(partial(execution_of, self._engine, workflow, self._worker_id))
        if execution is None:
            raise engine_errors.DBOSWorkflowConflictIDError(workflow)
        stored = await in_store(partial(parts_of, self._engine, workflow))
        starts = {path: text for path, text in stored.items() if path.startswith(_START)}
        return RowParts(
            self,
            execution,
            {path: decode_outcome(text) for path, text in stored.items() if path not in starts},
            {
                path.removeprefix(_START): msgspec.json.decode(text, type=tuple[AgentPath, ...])
                for path, text in starts.items()
            },
        )

    async def store(self, part: NewPart) -> bool:
        """Return when the part is durable; False: another execution has its row, or the batch was deleted."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((part, future))
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        return await future

    async def settled(self) -> None:
        """Return when nothing is being written."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _write(self) -> None:
        try:
            while self._queue:
                some, self._queue = self._queue[:_AT_ONCE], self._queue[_AT_ONCE:]
                await self._write_some(some)
        finally:
            self._task = None

    async def _write_some(self, some: Sequence[tuple[NewPart, asyncio.Future[bool]]]) -> None:
        try:
            lost = await in_store(partial(store_parts, self._engine, [part for part, _ in some]))
        except sa.exc.IntegrityError:  # the batch of one of them was deleted
            if len(some) > 1:
                for one in some:
                    await self._write_some([one])
                return
            lost = frozenset(part.of for part, _ in some)
        except Exception as e:  # noqa: BLE001 - each that waits for its part gets it
            for _, future in some:
                if not future.done():
                    future.set_exception(e)
            return
        for part, future in some:
            if not future.done():  # it was cancelled
                future.set_result(part.of not in lost)
