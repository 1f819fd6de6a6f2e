"""The recorded attempts of a limited run: each is durable before it is sent, so that none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.engine.events import AttemptSettled, AttemptStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.budget import Attempt
    from llm_orc.agents.path import AgentPath
    from llm_orc.runs.record import DirectSink, Recorder


class RecordedAttempts:
    """See `agents.budget.AttemptRecord`. `now` is in Unix seconds."""

    def __init__(self, sink: DirectSink | Recorder, now: Callable[[], float]) -> None:
        self._sink, self._now = sink, now

    async def started(self, attempt: Attempt) -> None:
        """Record the attempt. Raises `StorageError` if that fails: a limit must not lose attempts."""
        if self._sink.failure is None:
            await self._sink.commit(AttemptStarted(self._now(), attempt.agent, attempt.number, attempt.most_usd))
        if self._sink.failure is not None:
            raise self._sink.failure

    def unlimited(self, agent: AgentPath, counts_usd: float) -> None:
        """Count an attempt of an earlier process, which had no limit."""
        self._sink.post(AttemptSettled(self._now(), agent, 0, counts_usd))

    def ended(self, attempt: Attempt, counts_usd: float) -> None:
        self._sink.post(AttemptSettled(self._now(), attempt.agent, attempt.number, counts_usd))
