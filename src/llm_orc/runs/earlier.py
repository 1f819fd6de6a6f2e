"""Read runs that earlier releases stored with schema 1, in which every agent was a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access
from llm_orc.engine.events import (
    AgentFinished,
    AgentStarted,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    RecordedEvent,
)
from llm_orc.providers.base import StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class EarlierOutput(msgspec.Struct):
    """An answer with the one call that it was."""

    text: str
    model: str
    access: Access
    usage: Usage = msgspec.field(default_factory=Usage)
    cost_usd: float | None = None
    stop_reason: StopReason = "end_turn"
    request_id: str = ""
    stop_word: str = ""

    def as_output(self) -> AgentOutput:
        call = ModelCall(
            self.model,
            self.access,
            self.usage,
            self.cost_usd,
            self.stop_reason,
            self.request_id,
            self.stop_word,
        )
        return AgentOutput(self.text, (call,))


class _EarlierStarted(msgspec.Struct):
    at: float
    agent: AgentPath
    model: str
    access: Access


class _EarlierFinished(msgspec.Struct):
    at: float
    agent: AgentPath
    duration_s: float
    output: EarlierOutput


def _started(body: bytes) -> tuple[RecordedEvent, ...]:
    event = msgspec.json.decode(body, type=_EarlierStarted)
    started = AgentStarted(event.at, event.agent, MODEL.key)
    return (started, ModelChosen(event.at, event.agent, event.model, event.access))


def _retrying(body: bytes) -> tuple[RecordedEvent, ...]:
    return (msgspec.json.decode(body, type=ModelRetrying),)


def _switched(body: bytes) -> tuple[RecordedEvent, ...]:
    return (msgspec.json.decode(body, type=ModelSwitched),)


def _finished(body: bytes) -> tuple[RecordedEvent, ...]:
    event = msgspec.json.decode(body, type=_EarlierFinished)
    return (AgentFinished(event.at, event.agent, event.duration_s, event.output.as_output()),)


EARLIER: Mapping[str, Callable[[bytes], tuple[RecordedEvent, ...]]] = {
    "agent_started": _started,
    "agent_retrying": _retrying,
    "agent_switched": _switched,
    "agent_finished": _finished,
}
"""Readers of bodies, by the stored kind. Raises `msgspec.MsgspecError`."""
