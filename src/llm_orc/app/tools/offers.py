"""What the configured MCP servers offer: asked of the servers themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.app.tools.servers import client_of, find_server
from llm_orc.auth.masking import hide, hide_in_value
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError
from llm_orc.net.http import Http
from llm_orc.providers.redact import mask_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.client import Progress, ServerInfo
    from llm_orc.mcp.tools import McpTool, ToolResult


@dataclass(frozen=True, slots=True)
class ServerOffer:
    """What one server said. `error` says why it said nothing; `seconds` is the time until its tools were listed.

    `left_out` are tools that can't be offered, and why.
    """

    name: str
    info: ServerInfo | None = None
    tools: tuple[McpTool, ...] = ()
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    error: LlmOrcError | None = None


async def server_offers(app: App, names: Sequence[str]) -> tuple[ServerOffer, ...]:
    """Start or reach the servers, all at once, and list their tools; each ends again.

    A server that fails is in the result with its error. Raises `SettingsError` for an unknown name.
    """
    if app.settings.mcp_servers and not names:
        names = tuple(app.settings.mcp_servers)
    async with Http(app.settings.network, max_connections=8) as http:
        return tuple(await asyncio.gather(*(_offer(app, http, name) for name in names)))


async def _offer(app: App, http: Http, name: str) -> ServerOffer:
    began = app.clock.monotonic()
    try:
        client = client_of(app, http, find_server(app, name))
        try:
            info, tools = await client.info(), await client.tools()
            return ServerOffer(name, info, tools, client.left_out, app.clock.monotonic() - began)
        finally:
            await client.close()
    except LlmOrcError as e:
        mask_error(e)
        return ServerOffer(name, seconds=app.clock.monotonic() - began, error=e)


async def call_tool(
    app: App, server: str, tool: str, arguments: dict[str, JsonValue], progress: Callable[[Progress], None]
) -> ToolResult:
    """Call one tool of a server that is started for it. Raises what `McpClient.call` raises.

    Credentials that the server was given are masked in what it says.
    """
    found = find_server(app, server)
    async with Http(app.settings.network, max_connections=8) as http:
        client = client_of(app, http, found)
        try:
            return _masked(await client.call(tool, arguments, progress=progress))
        except LlmOrcError as e:
            mask_error(e)
            raise
        finally:
            await client.close()


def _masked(result: ToolResult) -> ToolResult:
    return replace(result, text=hide(result.text), data=hide_in_value(result.data))
