"""The MCP servers that are configured: which there are, and a client for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.tools.credentials import SignInCredentials
from llm_orc.errors import NotLoggedIn, NotTrusted, SettingsError
from llm_orc.mcp.client import McpClient
from llm_orc.mcp.http import HttpConnection, NoCredentials
from llm_orc.mcp.stdio import StdioConnection
from llm_orc.processes.environment import basic_environment
from llm_orc.providers.redact import remember_credentials, remember_secret_values
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.app.wiring import App
    from llm_orc.mcp.connection import Connection, Listener
    from llm_orc.mcp.http import Credentials
    from llm_orc.net.transport import Transport
    from llm_orc.settings.model import McpServerSettings


def withheld_servers(app: App) -> tuple[str, ...]:
    """Return the names of servers that only an untrusted project has, or changes."""
    keys = (one.key for one in app.settings.withheld if one.key.startswith("mcp_servers."))
    return tuple(dict.fromkeys(key.split(".")[1] for key in keys))


def find_server(app: App, name: str) -> McpServerSettings:
    """Return the server of that name. Raises `SettingsError`, and `NotTrusted` if only a project has it."""
    server = app.settings.mcp_servers.get(name)
    if server is None:
        if name in withheld_servers(app):
            raise NotTrusted(
                f"the MCP server `{name}` is configured by a project that you have not trusted",
                hint="Read what it starts and allow it: `llm-orc trust`.",
            )
        raise SettingsError(
            f"no MCP server is called `{name}`",
            hint=did_you_mean(name, app.settings.mcp_servers)
            or f"Configure it: `mcp_servers: {{{name}: {{command: [PROGRAM, …]}}}}`, or with `url:`.",
        )
    given = [key for key, value in (("command", server.command), ("url", server.url)) if value]
    if len(given) != 1:
        what = "has both `command` and `url`" if given else "has neither `command` nor `url`"
        raise SettingsError(f"the MCP server `{name}` {what} ({server.origin})", hint="Give it one of them.")
    return server


def client_of(app: App, transport: Transport, server: McpServerSettings) -> McpClient:
    """Return a client of the server; nothing is started or sent before its first use. The caller closes it.

    The credentials that it is given are remembered, so that they can be masked in what the server says.
    """

    async def connect(listener: Listener) -> Connection:
        if server.url is not None:
            remember_secret_values(server.headers)
            return HttpConnection(
                server.name, server.url, transport, _credentials(app, server, transport), listener
            )
        environment = app.environment
        cwd = server.cwd or environment.cwd
        env = _variables(server, environment.environ)
        remember_secret_values({name: env[name] for name in server.env if name in env})
        return await StdioConnection.start(server.name, server.command, env, cwd, listener)

    return McpClient(server.name, connect, limit_s=server.timeout_s, version=server.protocol)


def _credentials(app: App, server: McpServerSettings, transport: Transport) -> Credentials:
    """A token from the environment comes before a sign-in: it was configured for this server."""
    if server.token_env is None:
        return SignInCredentials(app, server, transport)
    token = _token(app, server)
    remember_credentials(token)
    return NoCredentials(server.name, {**server.headers, **token})


def _token(app: App, server: McpServerSettings) -> dict[str, str]:
    if server.token_env is None:
        return {}
    token = app.environment.environ.get(server.token_env, "").strip()
    if not token:
        raise NotLoggedIn(
            f"the MCP server `{server.name}` needs a token, and `{server.token_env}` is not set",
            hint=f"Set the variable, or correct `mcp_servers.{server.name}.token_env`.",
        )
    return {"Authorization": f"Bearer {token}"}


def _variables(server: McpServerSettings, environ: Mapping[str, str]) -> dict[str, str]:
    own = {name: environ.get(name) if value is None else value for name, value in server.env.items()}
    return {**basic_environment(environ), **{name: value for name, value in own.items() if value is not None}}
