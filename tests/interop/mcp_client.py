"""Our client as judges want it: it signs in where a server wants it, lists the tools and calls them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llm_orc.app.accounts.sign_in import SignInOptions
from llm_orc.app.tools.servers import client_of, find_server
from llm_orc.app.tools.sign_in import sign_in_to_server
from llm_orc.errors import CredentialExpired, NotLoggedIn, ToolCallRefused
from llm_orc.net.http import Http
from tests.fakes.people import Person, visit

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.mcp.client import McpClient
    from llm_orc.mcp.tools import McpTool
    from tests.app.conftest import Workspace

_MOST_SIGN_INS = 3  # with more permissions each time
_EXAMPLES: dict[str, Any] = {"integer": 5, "number": 3, "boolean": True, "array": [], "null": None}


async def use_everything(workspace: Workspace, url: str, context: dict[str, Any]) -> None:
    """Do what runs do with a server; `context` is what the judge gives for its scenario.

    Raises what the sign-in or the server's answers raise.
    """
    server = {"url": url}
    if "client_id" in context:
        server["client_id"] = context["client_id"]
    workspace.settings({"mcp_servers": {"judge": server}})
    app = workspace.app()
    for _ in range(_MOST_SIGN_INS):
        try:
            await _use(app, context)
        except (NotLoggedIn, CredentialExpired) as e:
            words = (e.hint or "").split()
            await _sign_in(app, [words[at + 1] for at, word in enumerate(words) if word == "--scope"])
        else:
            return
    raise RuntimeError("it wants one sign-in after another")


async def _use(app: App, context: dict[str, Any]) -> None:
    async with Http(app.settings.network, max_connections=4) as http:
        client = client_of(app, http, find_server(app, "judge"))
        try:
            tools = await client.tools()
            given = [(one["name"], one["arguments"]) for one in context.get("toolCalls", ())]
            for name, arguments in given or [(tool.name, _arguments(tool, tools[0])) for tool in tools]:
                await _call(client, name, arguments)
        finally:
            await client.close()


async def _call(client: McpClient, name: str, arguments: dict[str, Any]) -> None:
    with suppress(ToolCallRefused):  # judges offer tools that refuse
        await client.call(name, arguments)


def _arguments(tool: McpTool, first: McpTool) -> dict[str, Any]:
    """Return any that fit; an object is the schema of the server's first tool, which judges want to see again."""
    examples = {**_EXAMPLES, "object": first.input_schema}
    properties = tool.input_schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    kinds = {name: one.get("type") if isinstance(one, dict) else None for name, one in known.items()}
    return {name: examples.get(str(kind), "text") for name, kind in kinds.items()}


async def _sign_in(app: App, scopes: list[str]) -> None:
    person = Person()

    async def goes_there() -> None:
        await visit(await person.urls.get())

    going = asyncio.create_task(goes_there())
    try:
        await sign_in_to_server(app, "judge", person, SignInOptions(no_browser=True, limit_s=15), scopes)
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
