"""The tools that agents have called: folded from the events of all attempts at a run. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.tool_log.actions import ToolOutcome
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import ToolFinished, ToolsAsked, ToolStarted
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from llm_orc.engine.events import RecordedEvent


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """A call of a tool that a model has asked for. `arguments` None: they were no JSON object.

    `name` is the tool's, or what the model wrote if there is no such tool. `outcome` None: it has not ended.
    `omitted` and `spilled`: see `ToolEnded`.
    """

    name: str
    arguments: dict[str, JsonValue] | None
    outcome: ToolOutcome | None = None
    started_at: float | None = None
    duration_s: float | None = None
    omitted: int = 0
    spilled: str = ""


class ToolsUsed:
    """Feed it with `apply`, in order."""

    def __init__(self) -> None:
        self._by_agent: dict[str, dict[int, ToolUsed]] = {}

    def of(self, agent: str) -> tuple[ToolUsed, ...]:
        """Return the calls of an agent in their order."""
        return tuple(self._by_agent.get(agent, {}).values())

    def under_way(self, agent: str) -> list[ToolUsed]:
        """Return the calls of an agent that have begun and not ended."""
        calls = self._by_agent.get(agent, {}).values()
        return [used for used in calls if used.started_at is not None and used.outcome is None]

    def ended(self, event: ToolFinished) -> ToolUsed:
        """Return the call whose end has been applied."""
        return self._by_agent[event.agent][event.tool.number]

    def apply(self, event: RecordedEvent) -> None:
        if not isinstance(event, ToolsAsked | ToolStarted | ToolFinished):
            return
        calls = self._by_agent.setdefault(event.agent, {})
        match event:
            case ToolsAsked(turn=turn):
                for number, call in zip(turn.numbers, turn.calls, strict=True):
                    calls[number] = ToolUsed(call.name, call.arguments)
            case ToolStarted(tool=begun):
                calls[begun.number] = replace(calls[begun.number], name=begun.name, started_at=event.at)
            case ToolFinished(tool=ended):
                calls[ended.number] = replace(
                    calls[ended.number],
                    name=ended.name,
                    outcome=ended.outcome,
                    duration_s=ended.duration_s,
                    omitted=ended.omitted,
                    spilled=ended.spilled,
                )
