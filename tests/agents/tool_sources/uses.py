"""Call a tool as an agent's loop does, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.tools.tool import ToolUse
from llm_orc.agents.turn import AgentObserver, AgentTurn
from llm_orc.schemas.validate import checker_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.tool_sources.source import Source
    from llm_orc.agents.tools.tool import Tool, ToolResult
    from llm_orc.jsontypes import JsonValue


def a_use(agent: str = "reader", progress: Callable[[str], None] = lambda _words: None) -> ToolUse:
    """Return a use in the first turn of an agent that nobody watches."""
    turn = AgentTurn(AgentPath(agent), AgentSpec(agent), "", cast(AgentObserver, None))
    return ToolUse(turn, 0, progress)


async def called(source: Source, name: str, /, **arguments: JsonValue) -> ToolResult:
    """Call the one tool of that name, with arguments that satisfy its schema."""
    (tool,) = await source.tools(name)
    return await called_tool(tool, **arguments)


async def called_tool(tool: Tool, /, **arguments: JsonValue) -> ToolResult:
    assert checker_for(tool.parameters).complaints(arguments) == ()
    return await tool.call(a_use(), arguments)
