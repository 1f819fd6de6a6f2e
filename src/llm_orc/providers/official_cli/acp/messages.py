"""What we write to an agent that speaks the Agent Client Protocol: JSON-RPC 2.0, one message a line.

Requests carry the name of their method as id, since each is sent once in a turn.
Source: https://agentclientprotocol.com/protocol, version 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

PROTOCOL_VERSION = 1
INITIALIZE, NEW_SESSION, CONFIGURE, PROMPT = (
    *("initialize", "session/new", "session/set_config_option", "session/prompt"),
)
_METHOD_NOT_FOUND = -32601  # JSON-RPC 2.0, section 5.1


def initialize() -> bytes:
    """Return the first request. We offer no files and no terminal."""
    nothing: JsonValue = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
    client: JsonValue = {"name": "llm-orc", "title": "LLM Orchestra", "version": VERSION}
    return _request(
        INITIALIZE,
        {"protocolVersion": PROTOCOL_VERSION, "clientCapabilities": nothing, "clientInfo": client},
    )


def new_session(directory: Path) -> bytes:
    """Return the request for a session in `directory`, without MCP servers."""
    return _request(NEW_SESSION, {"cwd": str(directory), "mcpServers": []})


def configure(session: str, option: str, value: str) -> bytes:
    """Return the request that sets an option of the session, such as its model."""
    return _request(CONFIGURE, {"sessionId": session, "configId": option, "value": value})


def prompt(session: str, text: str) -> bytes:
    """Return the request for one turn."""
    return _request(PROMPT, {"sessionId": session, "prompt": [{"type": "text", "text": text}]})


def rejected(request_id: JsonValue, option: str | None) -> bytes:
    """Return the answer to a request for permission: its option to reject, or `cancelled` if it has none."""
    outcome: JsonValue = {"outcome": "cancelled"}
    if option is not None:
        outcome = {"outcome": "selected", "optionId": option}
    return _line({"id": request_id, "result": {"outcome": outcome}})


def not_offered(request_id: JsonValue, method: str) -> bytes:
    """Return the answer to a request for anything else: we offer nothing."""
    error: JsonValue = {"code": _METHOD_NOT_FOUND, "message": f"llm-orc does not offer {method}"}
    return _line({"id": request_id, "error": error})


def _request(method: str, params: JsonValue) -> bytes:
    return _line({"id": method, "method": method, "params": params})


def _line(message: Mapping[str, JsonValue]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", **message}) + b"\n"
