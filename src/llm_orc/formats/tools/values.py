"""Calls of tools as JSON: in events, and in results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.engine.events import ToolFinished, ToolsAsked, ToolStarted
from llm_orc.formats.figures import moment
from llm_orc.formats.json_values import usage_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.tools.used import ToolUsed


def tool_event_values(event: ToolsAsked | ToolStarted | ToolFinished) -> dict[str, JsonValue]:
    """Return the event as it is in a stream of events, `type` first."""
    common: dict[str, JsonValue] = {"at": moment(event.at), "agent": event.agent}
    match event:
        case ToolsAsked(turn=turn):
            calls = zip(turn.numbers, turn.calls, strict=True)
            return {
                "type": "tools_asked",
                **common,
                "model": turn.call.model,
                "usage": usage_value(turn.call.usage),
                "cost_usd": turn.call.cost_usd,
                "text": turn.text,
                "calls": [{"number": number, "name": c.name, "arguments": c.arguments} for number, c in calls],
            }
        case ToolStarted(tool=begun):
            return {"type": "tool_started", **common, "number": begun.number, "name": begun.name}
        case ToolFinished(tool=ended):
            return {
                "type": "tool_finished",
                **common,
                "number": ended.number,
                "name": ended.name,
                "outcome": ended.outcome,
                "duration_s": ended.duration_s,
                "text": ended.text,
                "omitted": ended.omitted,
                "spilled": ended.spilled or None,
            }


def tools_value(used: Sequence[ToolUsed]) -> list[JsonValue]:
    """Return the calls of an agent as they are in its result."""
    return [
        {
            "name": one.name,
            "arguments": one.arguments,
            "outcome": one.outcome,
            "duration_s": one.duration_s,
            "omitted": one.omitted,
            "spilled": one.spilled or None,
        }
        for one in used
    ]
