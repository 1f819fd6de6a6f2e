"""`mcp.SERVER.TOOL` and `mcp.SERVER.*`: the tools of servers, each started once, when its first tool is named."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

from llm_orc.agents.tool_sources.glob import name_matches
from llm_orc.agents.tools.tool import Tool, ToolResult
from llm_orc.errors import LlmOrcError, SettingsError, ToolServerError
from llm_orc.net.text import one_line
from llm_orc.providers.redact import mask_error
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from llm_orc.agents.tools.tool import ToolUse
    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.client import McpClient, Progress
    from llm_orc.mcp.tools import McpTool

_LONGEST_DESCRIPTION = 8000  # characters


class McpSource:
    """A `Source` of servers; `connect` returns the client of one by its name."""

    def __init__(self, servers: Callable[[], Collection[str]], connect: Callable[[str], McpClient]) -> None:
        self._servers, self._connect = servers, connect
        self._clients: dict[str, McpClient] = {}

    async def tools(self, name: str) -> tuple[Tool, ...]:
        server, wanted = split_name(name, self._servers())
        client = self._clients.get(server)
        if client is None:
            client = self._clients[server] = self._connect(server)
        try:
            known = await client.tools()
        except LlmOrcError as e:
            mask_error(e)
            if isinstance(e, ToolServerError) and not e.hint:
                e.hint = f"llm-orc mcp doctor {server}"
            raise
        found = tuple(_tool(client, server, one) for one in known if name_matches(wanted, one.name))
        if not found and "*" not in wanted:
            raise SettingsError(
                f"the MCP server `{server}` has no tool `{one_line(wanted, 80)}`",
                hint=did_you_mean(wanted, [one.name for one in known]) or f"llm-orc mcp tools {server}",
            )
        return found

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.close() for client in clients.values()))


def split_name(name: str, servers: Collection[str]) -> tuple[str, str]:
    """Return the server in `mcp.SERVER.TOOL`, and the rest: both may have dots in them."""
    rest = name.partition(".")[2]
    known = [server for server in servers if rest.startswith(f"{server}.")]
    server = max(known, key=len) if known else rest.partition(".")[0]
    return server, rest.removeprefix(server).removeprefix(".") or "*"


def _tool(client: McpClient, server: str, of: McpTool) -> Tool:
    async def call(use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        def tell(progress: Progress) -> None:
            part = f"{progress.done:g} of {progress.total:g}" if progress.total else f"{progress.done:g}"
            use.progress(one_line(f"{part} {progress.message}", 80))

        try:
            result = await client.call(of.name, arguments, progress=tell)
        except ToolServerError as e:
            mask_error(e)
            return ToolResult(e.message, is_error=True)
        text = result.text
        if not text and result.data is not None:
            text = json.dumps(result.data, ensure_ascii=False)
        if result.left_out:
            text = f"{text}\n(left out, because it is no text: {', '.join(result.left_out)})".lstrip("\n")
        return ToolResult(text, result.is_error, result.data)

    return Tool(
        f"mcp.{server}.{of.name}",
        (of.description or of.title)[:_LONGEST_DESCRIPTION],
        of.input_schema,
        call,
        acts=of.only_reads is not True,
        sends=True,  # whatever it says of itself
        is_idempotent=of.is_idempotent is True or of.only_reads is True,
        digest=hashlib.sha256(json.dumps(of.definition, sort_keys=True).encode()).hexdigest(),
    )
