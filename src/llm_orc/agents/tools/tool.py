"""A tool of any kind as an agent sees it, and the tools of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.turn import AgentTurn
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from llm_orc.agents.path import AgentPath


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned. `is_error`: it failed, and `text` says why; the model may see it and try again."""

    text: str
    is_error: bool = False
    data: JsonValue | None = None


class ToolFailed(Exception):
    """Raised within a tool whose call can't succeed: why, for the model. Never leaves the tool."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool: in which turn of an agent, and its number among the agent's calls, counted from 0.

    `progress` tells the agent's person how far it is, in a few words.
    """

    turn: AgentTurn
    number: int
    progress: Callable[[str], None] = lambda _words: None

    @property
    def agent(self) -> AgentPath:
        return self.turn.path


CallTool = Callable[[ToolUse, dict[str, JsonValue]], Awaitable[ToolResult]]
"""Calls a tool with arguments that satisfy its schema. A failure of the tool is a result, not an exception."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that an agent may use.

    `name` is what `tools` of an agent calls it (`mcp.github.search_issues`), `parameters` the JSON Schema of its
    arguments. `acts`: it writes, sends or starts something, so that people are asked before, and calls of one turn
    follow each other. `sends`: it changes nothing, but what the model writes goes to others: people are asked too.
    `is_idempotent`: a second call with the same arguments changes nothing more, so it may be repeated after a
    crash. `digest` is of all that decides what it does, as far as that is known: a change asks for consent again.
    """

    name: str
    description: str
    parameters: dict[str, JsonValue]
    call: CallTool
    acts: bool = True
    sends: bool = False
    is_idempotent: bool = False
    digest: str = ""


class Tools(Protocol):
    """The tools of a run: made by `app`, which knows servers, programs and what is allowed."""

    async def offered(self, agent: AgentPath, names: Sequence[str]) -> tuple[Tool, ...]:
        """Return the tools that these names mean, in their order; a name may mean several (`mcp.github.*`).

        Servers start now, if they have not. Raises what keeps one from being offered: `ToolServerError` and the
        like; an agent never runs with fewer tools than it names.
        """
        ...

    async def refusal(self, use: ToolUse, tool: Tool, arguments: dict[str, JsonValue]) -> str | None:
        """Return why the tool may not be called, for the model and its person; None: it may.

        Asks a person where the configuration says so and somebody is there.
        """
        ...
