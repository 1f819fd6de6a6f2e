"""`llm-orc mcp`: the servers of tools that are configured."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("list", "mcp.list", "List the configured servers; starts none."),
    Row("tools", "mcp.tools", "Start the servers and list their tools."),
    Row("call", "mcp.call", "Call one tool and print its result."),
    Row("login", "mcp.login", "Sign in to a server over HTTP."),
    Row("logout", "mcp.logout", "End the sign-in to a server."),
    Row("doctor", "mcp.doctor", "Start each server, and say what is wrong with it."),
)


@define_group(COMMANDS)
def command() -> None:
    """See and try the MCP servers of `mcp_servers` in config.yaml."""
