"""What we write to `copilot`: JSON-RPC 2.0 as its own SDKs speak it, in messages with a header.

Requests carry the name of their method as id, since each is sent once in a turn. Sources: the PyPI package
`github-copilot-sdk` 1.0.27, which speaks version 3, and the requests that `copilot` 1.0.102 then sends to a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc._version import VERSION
from llm_orc.processes.framing import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

PROTOCOL_VERSION = 3
CONNECT, LOGIN_STATUS = "connect", "auth.getStatus"
CREATE, RESTRICT, SEND = "session.create", "session.options.update", "session.send"
_METHOD_NOT_FOUND = -32601  # JSON-RPC 2.0, section 5.1
# Without a tool, a server, a skill, a memory, an instruction file or a hook. `configDir`, an empty folder, is what
# keeps its user's hooks and MCP servers out: the other options leave them on.
_NOTHING: Mapping[str, JsonValue] = {
    "availableTools": [],
    "toolFilterPrecedence": "excluded",
    "mcpServers": {},
    "enableConfigDiscovery": False,
    "enableSkills": False,
    "enableFileHooks": False,
    "enableHostGitOperations": False,
    "enableOnDemandInstructionDiscovery": False,
    "enableSessionStore": False,
    "enableSessionTelemetry": False,
    "isExperimentalMode": False,
    "customAgentsLocalOnly": True,
    "skipEmbeddingRetrieval": True,
    "embeddingCacheStorage": "in-memory",
    "mcpOAuthTokenStorage": "in-memory",
    "memory": {"enabled": False},
    "infiniteSessions": {"enabled": False},  # it would summarise a long prompt by itself
    "requestPermission": True,  # so that it asks us, who never agree
    "requestElicitation": False,
    "requestExitPlanMode": False,
    "requestAutoModeSwitch": False,
}
# What `session.create` has no option for.
_NOTHING_MORE: Mapping[str, JsonValue] = {
    "skipCustomInstructions": True,
    "customAgentsLocalOnly": True,
    "coauthorEnabled": False,
    "manageScheduleEnabled": False,
    "installedPlugins": [],
    "includedBuiltinSkills": [],
}


def connect() -> bytes:
    """Return the first request. We say who we are."""
    return request(CONNECT, {"clientInfo": {"editorName": "llm-orc", "editorVersion": VERSION}})


def create(session: str, room: Path, model: str | None, role: str, base_url: str | None) -> bytes:
    """Return the request for a session that only chats, with `role` in place of its own system prompt.

    `base_url`: an OpenAI-compatible server that is called in place of GitHub's, without a key.
    """
    params: dict[str, JsonValue] = {
        **_NOTHING,
        "sessionId": session,
        "clientName": "llm-orc",
        "workingDirectory": str(room / "desk"),
        "configDir": str(room / "settings"),
        "systemMessage": {"mode": "replace", "content": role or "You are a helpful assistant."},
        "streaming": True,
    }
    if model is not None:
        params["model"] = model
    if base_url is not None:
        params["provider"] = {"type": "openai", "wireApi": "completions", "baseUrl": base_url}
    return request(CREATE, params)


def restrict(session: str) -> bytes:
    """Return the request that switches off what `create` can't."""
    return request(RESTRICT, {**_NOTHING_MORE, "sessionId": session})


def send(session: str, text: str) -> bytes:
    """Return the request for one turn."""
    return request(SEND, {"sessionId": session, "prompt": text})


def not_offered(request_id: JsonValue, method: str) -> bytes:
    """Return the answer to a request from `copilot`: we offer nothing."""
    error: JsonValue = {"code": _METHOD_NOT_FOUND, "message": f"llm-orc does not offer {method}"}
    return _framed({"id": request_id, "error": error})


def request(method: str, params: JsonValue) -> bytes:
    """Return a request."""
    return _framed({"id": method, "method": method, "params": params})


def _framed(message: Mapping[str, JsonValue]) -> bytes:
    return HEADERS.framed(msgspec.json.encode({"jsonrpc": "2.0", **message}))
