"""What one process has in flight: its workflows, and their agents and calls that must not be interrupted."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@dataclass(slots=True)
class _Call:
    """A call of one workflow. While `is_sent`, its provider may answer, and the answer must not be lost."""

    workflow: str
    is_sent: bool = False


class InFlight:
    """Workflows by name, `BATCH:ROW:ATTEMPT` or `BATCH:ROW:ATTEMPT:AGENT`, each with the task that carries it out.

    A workflow is *idle* while it can be cancelled without losing anything: it waits for its turn, for another
    worker, or between two attempts of a call. Otherwise an answer is on its way, or is being stored.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._agents: Counter[str] = Counter()  # started and not finished, by workflow
        self._idle: Counter[str] = Counter()  # of these, the ones that can be cancelled without loss
        self._calls: dict[asyncio.Task[object], _Call] = {}

    @property
    def names(self) -> set[str]:
        return set(self._tasks)

    @property
    def batches(self) -> set[str]:
        return {name.partition(":")[0] for name in self._tasks}

    @property
    def rows(self) -> int:
        return sum(name.count(":") == 2 for name in self._tasks)

    @asynccontextmanager
    async def workflow(self, name: str) -> AsyncIterator[None]:
        """The current task carries out the workflow `name`."""
        task = self._tasks[name] = _current_task()
        try:
            yield
        finally:
            if self._tasks.get(name) is task:
                del self._tasks[name]

    @contextmanager
    def agent(self, name: str) -> Iterator[None]:
        """One agent of the workflow `name` runs."""
        with _counted(self._agents, name):
            yield

    @contextmanager
    def idle(self, name: str) -> Iterator[None]:
        """The workflow `name`, or one of its agents, can be cancelled without losing anything."""
        with _counted(self._idle, name):
            yield

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """The current task calls an agent for the workflow `name`; nothing is sent yet.

        The agent around it, if the same task calls it, has sent nothing either.
        """
        task = _current_task()
        around = self._calls.get(task)
        self._calls[task] = _Call(name)
        try:
            yield
        finally:
            del self._calls[task]
            if around is not None:
                self._calls[task] = around

    def mark_sent(self, task: asyncio.Task[object] | None = None) -> None:
        """The call of the task goes out to its provider, or does something else that must not be lost.

        `task` None: the current one.
        """
        self._calls[task or _current_task()].is_sent = True

    def mark_waiting(self, task: asyncio.Task[object] | None = None) -> None:
        """The call of the task waits for its turn, or for its next attempt: no answer is on its way."""
        self._calls[task or _current_task()].is_sent = False

    def is_settled(self, batch_id: str = "") -> bool:
        """Return whether every workflow, of one batch or of all, can be cancelled without losing an answer."""
        return all(map(self._is_idle, self._names_of(batch_id)))

    def _is_idle(self, name: str) -> bool:
        """A row also waits before its first agent; between two agents it stores the answer of the first."""
        unsent = sum(call.workflow == name and not call.is_sent for call in self._calls.values())
        return self._idle[name] + unsent >= max(1, self._agents[name])

    def _names_of(self, batch_id: str) -> list[str]:
        return [name for name in self._tasks if not batch_id or name.startswith(f"{batch_id}:")]

    def is_idle(self, name: str) -> bool:
        """Return whether the workflow `name` can be cancelled without losing an answer; it may be over."""
        return name not in self._tasks or self._is_idle(name)

    def cancel_one(self, name: str) -> list[asyncio.Task[object]]:
        """Cancel the workflow `name`; return its task, which may take a moment to end, unless it is over."""
        task = self._tasks.get(name)
        if task is None:
            return []
        task.cancel()
        return [task]

    def cancel(self, batch_id: str = "") -> list[asyncio.Task[object]]:
        """Cancel the workflows of one batch, or all; return their tasks, which may take a moment to end."""
        tasks = [self._tasks[name] for name in self._names_of(batch_id)]
        for task in tasks:
            task.cancel()
        return tasks


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


@contextmanager
def _counted(counter: Counter[str], name: str) -> Iterator[None]:
    counter[name] += 1
    try:
        yield
    finally:
        counter[name] -= 1
        if not counter[name]:
            del counter[name]
