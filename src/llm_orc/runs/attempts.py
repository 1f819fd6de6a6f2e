"""The recorded attempts of a limited run: each is durable before it is sent, so that none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.engine.events import AttemptSettled, AttemptStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.budgets.attempt import Attempt
    from llm_orc.agents.path import AgentPath
    from llm_orc.runs.record import DirectSink, Recorder


class RecordedAttempts:
    """See `agents.budgets.attempt.AttemptRecord`. `now` is in Unix seconds."""

    def __init__(self, sink: DirectSink | Recorder, now: Callable[[], float]) -> None:
        self._sink, self._now = sink, now

    async def started(self, attempt: Attempt) -> None:
        """Record the attempt. Raises `StorageError` if that fails: a limit must not lose attempts."""
        if self._sink.failure is None:
            now, most_usd, most_tokens = self._now(), attempt.most_usd, attempt.most_tokens
            await self._sink.commit(AttemptStarted(now, attempt.agent, attempt.number, most_usd, most_tokens))
        if self._sink.failure is not None:
            raise self._sink.failure

    def unlimited(self, agent: AgentPath, counts_usd: float, counts_tokens: int = 0) -> None:
        """Count an attempt of an earlier process, which had no such limit: of cost, or else of tokens."""
        self._sink.post(AttemptSettled(self._now(), agent, 0, counts_usd, counts_tokens))

    def ended(self, attempt: Attempt, counts_usd: float, counts_tokens: int) -> None:
        self._sink.post(AttemptSettled(self._now(), attempt.agent, attempt.number, counts_usd, counts_tokens))
