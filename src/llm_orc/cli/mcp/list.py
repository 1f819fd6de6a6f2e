"""`llm-orc mcp list`: the servers that are configured."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_orc.cli.mcp.words import MANY_WORDS, note_withheld, say_none
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, write_data
from llm_orc.cli.shell.output.tables import Column, table

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.model import McpServerSettings

_HEADING = (
    Column("NAME"),
    Column("REACHED BY", shrinks=True),
    Column("FOR", shrinks=True, leaves=1),
    Column("SET IN", shrinks=True, leaves=2),
)


@define_command()
@json_option
def command(*, as_json: bool) -> int:
    """List the MCP servers that are configured, and how each is reached. None is started."""
    app = app_here()
    servers = [*app.settings.mcp_servers.values()]
    if as_json:
        write_json([_value(server) for server in servers])
    elif servers:
        rows = [(one.name, _reached(one), one.description or "", str(one.origin)) for one in servers]
        write_data(table(_HEADING, rows, columns(sys.stdout)))
    else:
        say_none()
    note_withheld(app)
    return 0


def _reached(server: McpServerSettings) -> str:
    return server.url or " ".join(server.command[:MANY_WORDS]) or "?"


def _value(server: McpServerSettings) -> JsonValue:
    return {
        "name": server.name,
        "description": server.description,
        "command": [*server.command] or None,
        "url": server.url,
        "variables": [*server.env],
        "set_in": str(server.origin),
    }
