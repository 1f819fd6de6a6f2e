"""The tools of one agent while it has its turn: what is offered, and how calls are carried out."""

from __future__ import annotations

import asyncio
import time
from itertools import groupby
from typing import TYPE_CHECKING

from llm_orc.agents.tool_log.actions import ToolBegun, ToolEnded
from llm_orc.agents.tools.names import sendable_names
from llm_orc.agents.tools.results import told_of
from llm_orc.agents.tools.tool import ToolResult, ToolUse
from llm_orc.errors import LlmOrcError
from llm_orc.providers.parts import ToolAnswer, ToolOffer
from llm_orc.schemas.validate import checker_for
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.tool_log.actions import ToolOutcome, ToolTurn
    from llm_orc.agents.tool_log.kept import KeptActions
    from llm_orc.agents.tools.results import SpillResult
    from llm_orc.agents.tools.tool import Tool, Tools
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import ToolCall

_MOST_COMPLAINTS = 5
_SHOWN = 200  # characters of what is no JSON
_UNKNOWN = (
    "It is not known whether this call took effect: the program that made it ended before the tool did."
    " Find out before you repeat it."
)


class Toolbox:
    """Models know the tools by the names in `offers`. `tools` None: no configuration restricts their use."""

    def __init__(
        self,
        turn: AgentTurn,
        offered: Sequence[Tool],
        kept: KeptActions,
        *,
        tools: Tools | None = None,
        spill: SpillResult | None = None,
    ) -> None:
        self._turn, self._kept, self._tools, self._spill = turn, kept, tools, spill
        sent = sendable_names(tool.name for tool in offered)
        self._by_sent_name = {sent[tool.name]: tool for tool in offered}
        self.offers = tuple(ToolOffer(sent[one.name], one.description, one.parameters) for one in offered)

    async def carry_out(self, asked: ToolTurn) -> tuple[ToolAnswer, ...]:
        """Carry out the calls and return the answers in their order.

        Those that only read, and follow each other, run side by side; any other begins when those before it have
        ended. Raises what is no failure of a tool: that a person is waited for, or what carries the whole run.
        """
        answers: list[ToolAnswer] = []
        numbered = list(zip(asked.numbers, asked.calls, strict=True))
        for acts, group in groupby(numbered, key=lambda one: self._acts(one[1])):
            some = list(group)
            if acts or len(some) == 1:
                answers += [await self._answer(number, call) for number, call in some]
                continue
            ends = await asyncio.gather(*(self._answer(*one) for one in some), return_exceptions=True)
            answers += [_of(end) for end in ends]
        return tuple(answers)

    def _acts(self, call: ToolCall) -> bool:
        tool = self._by_sent_name.get(call.name)
        return tool is not None and tool.acts

    async def _answer(self, number: int, call: ToolCall) -> ToolAnswer:
        ended = self._kept.ended(number)
        if ended is None:
            ended = await self._carried_out(number, call)
            await self._kept.end(ended)
        return ToolAnswer(call.id, call.name, ended.text, is_error=ended.outcome != "done")

    async def _carried_out(self, number: int, call: ToolCall) -> ToolEnded:
        tool = self._by_sent_name.get(call.name)
        name = call.name if tool is None else tool.name
        has_begun = self._kept.has_begun(number)
        if has_begun and (tool is None or not tool.is_idempotent):
            return ToolEnded(number, name, "unknown", 0.0, _UNKNOWN)
        if tool is None:
            return _refused(number, name, self._no_such_tool(call.name))
        if (why := _why_unusable(call, tool)) or call.arguments is None:
            return _refused(number, name, why)
        use = ToolUse(self._turn, number)
        if self._tools is not None and (why := await self._tools.refusal(use, tool, call.arguments) or ""):
            return _refused(number, name, why)
        if not has_begun:
            await self._kept.begin(ToolBegun(number, name, tool.is_idempotent))
        return await self._called(use, tool, call.arguments)

    async def _called(self, use: ToolUse, tool: Tool, arguments: dict[str, JsonValue]) -> ToolEnded:
        began = time.monotonic()
        try:
            result = await tool.call(use, arguments)
        except LlmOrcError as e:
            result = ToolResult(e.message, is_error=True)
        duration_s = time.monotonic() - began
        told = await told_of(result, use.agent, use.number, self._spill)
        outcome: ToolOutcome = "failed" if result.is_error else "done"
        return ToolEnded(use.number, tool.name, outcome, duration_s, told.text, told.omitted, told.spilled)

    def _no_such_tool(self, name: str) -> str:
        known = ", ".join(f"`{one}`" for one in self._by_sent_name)
        hint = did_you_mean(name, self._by_sent_name)
        return f"There is no tool `{name[:_SHOWN]}`. {hint or ''} There are: {known}.".replace("  ", " ")


def _why_unusable(call: ToolCall, tool: Tool) -> str:
    """Return what is wrong with the arguments; empty: nothing."""
    if call.arguments is None:
        return f"The tool was not called: its arguments are no JSON object: {call.written[:_SHOWN]}"
    try:
        complaints = checker_for(tool.parameters).complaints(call.arguments)
    except ValueError:  # a server's schema may be of an older draft, or nonsense: it checks the arguments itself
        return ""
    if not complaints:
        return ""
    listed = "\n".join(f"- {complaint}" for complaint in complaints[:_MOST_COMPLAINTS])
    return f"The tool was not called: its arguments do not satisfy its schema:\n{listed}"


def _refused(number: int, name: str, why: str) -> ToolEnded:
    return ToolEnded(number, name, "refused", 0.0, why)


def _of(end: ToolAnswer | BaseException) -> ToolAnswer:
    if isinstance(end, BaseException):
        raise end
    return end
