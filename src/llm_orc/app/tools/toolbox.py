"""The tools of one run: opened when agents name them, asked about as configured, and ended with the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from llm_orc.app.tools.permission import Rule, allowing, rule_of
from llm_orc.auth.masking import hide, hide_in_value
from llm_orc.dataclass import dataclass
from llm_orc.net.http import Http
from llm_orc.settings.change.write import write_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.tool_sources.source import Source
    from llm_orc.agents.tools.tool import Tool, ToolResult, ToolUse
    from llm_orc.app.tools.permission import Decision, Layers
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue

_CONNECTIONS = 16

Consent = Literal["once", "always", "no"]


@dataclass(frozen=True, slots=True)
class ToolQuestion:
    """An agent wants to call a tool: may it? `why` is a sentence that says why somebody is asked."""

    agent: AgentPath
    tool: Tool
    arguments: dict[str, JsonValue]
    why: str


AskConsent = Callable[[ToolQuestion], Awaitable[Consent]]
"""Asks the person who is here."""


class Toolbox:
    """Implements `agents.tools.tool.Tools` for one run: enter it, and leave it when the run has ended.

    `ask` None: nobody is here, so what has to be asked about is refused. `tell` is told what went wrong aside.
    """

    def __init__(
        self,
        app: App,
        layers: Layers,
        ask: AskConsent | None,
        tell: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self._app, self._layers, self._ask, self._tell = app, layers, ask, tell
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._sources: dict[str, Source] = {}
        self._http: Http | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def offered(self, agent: AgentPath, names: Sequence[str]) -> tuple[Tool, ...]:
        """See `Tools`. Of a pattern, what is denied is left out."""
        rules = self._layers.of(agent)
        found: dict[str, Tool] = {}
        for name in names:
            source = await self._source(name)
            for tool in await source.tools(name):
                if tool.name == name or rules.decide(tool).verdict != "deny":
                    found.setdefault(tool.name, _masked(tool))
        return tuple(found.values())

    async def refusal(self, use: ToolUse, tool: Tool, arguments: dict[str, JsonValue]) -> str | None:
        """See `Tools`."""
        decision = self._layers.of(use.agent).decide(tool)
        if decision.verdict == "ask" and self._ask is not None:
            async with use.turn.idle(), self._asking:  # one at a time: an answer may settle the next question
                decision = self._layers.of(use.agent).decide(tool)
                if decision.verdict == "ask":
                    return await self._asked(ToolQuestion(use.agent, tool, arguments, decision.why), self._ask)
        if decision.verdict == "allow":
            return None
        return _refused(tool, decision)

    async def _asked(self, question: ToolQuestion, ask: AskConsent) -> str | None:
        consent = await ask(question)
        if consent == "no":
            return f"A person was asked whether `{question.tool.name}` may be called with these arguments: no."
        if consent == "always":
            await self._remember(question.tool)
        return None

    async def _remember(self, tool: Tool) -> None:
        """Allow the tool for good: in this run, and in the person's own settings."""
        file, written = self._app.paths.config / "config.yaml", allowing(tool)
        self._layers = self._layers.allow(rule_of(tool.name, written, str(file)))
        await asyncio.to_thread(write_settings, file, ["permissions"], {tool.name: written})
        self._tell(f"`{tool.name}` is allowed from now on: `permissions` in {file}.")

    async def _source(self, name: str) -> Source:
        from llm_orc.app.tools.sources import Around, source_of  # noqa: PLC0415 - heavy: only where there are tools

        row = source_of(name)
        row.look(self._app, name)
        async with self._opening:
            if row.prefix not in self._sources:
                if self._http is None:
                    http = Http(self._app.settings.network, _CONNECTIONS)
                    self._http = await self._stack.enter_async_context(http)
                source = row.open(Around(self._app, self._http))
                self._stack.push_async_callback(source.close)
                self._sources[row.prefix] = source
            return self._sources[row.prefix]


def _refused(tool: Tool, decision: Decision) -> str:
    name = tool.name
    if decision.verdict == "deny":
        rule: Rule | None = decision.because
        where = f" by `permissions` ({rule.origin})" if rule is not None else ""
        return f"`{name}` is denied{where}."
    return (
        f"`{name}` was not called: a person would have to agree, and nobody is here. To allow it, set"
        f" `permissions: {{{_key(name)}: allow}}`, or give `--allow-tool {name}`."
    )


def _key(name: str) -> str:
    return f'"{name}"' if "*" in name else name


def _masked(tool: Tool) -> Tool:
    """Return the tool with credentials masked in what it returns."""

    async def call(use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        result = await tool.call(use, arguments)
        return replace(result, text=hide(result.text), data=hide_in_value(result.data))

    return replace(tool, call=call)
