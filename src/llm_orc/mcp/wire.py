"""The messages of the Model Context Protocol: JSON-RPC 2.0, in both eras of the protocol.

Up to 2025-11-25 a connection begins with `initialize`. From 2026-07-28 every request stands for itself, and says
in its `_meta` which version it is written in. Source: https://modelcontextprotocol.io/specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc._version import VERSION
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping

STATELESS_VERSION = "2026-07-28"
"""The version in which requests stand for themselves."""
HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The versions that begin with `initialize`, the newest first."""

METHOD_NOT_FOUND = -32601  # JSON-RPC 2.0, section 5.1
UNSUPPORTED_VERSION = -32022

_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"

RequestId = int | str
Params = dict[str, JsonValue]
CLIENT: Params = {"name": "llm-orc", "title": "LLM Orchestra", "version": VERSION}


class RpcError(msgspec.Struct):
    """The error of a request, as the server says it."""

    code: int
    message: str = ""
    data: JsonValue = None


class Incoming(msgspec.Struct):
    """Any message of a server: an answer, a request of its own, or a notification."""

    id: RequestId | None = None
    method: str = ""
    params: Params = {}
    result: JsonValue | msgspec.UnsetType = msgspec.UNSET
    error: RpcError | None = None

    @property
    def is_answer(self) -> bool:
        return not self.method and (self.error is not None or self.result is not msgspec.UNSET)


_INCOMING = msgspec.json.Decoder(Incoming)
_INCOMING_LIST = msgspec.json.Decoder(list[Incoming])


def parse_messages(line: bytes) -> list[Incoming]:
    """Return the messages of a line or a body: one, or several (JSON-RPC 2.0, section 6).

    Raises `ValueError` for anything else.
    """
    try:
        return _INCOMING_LIST.decode(line) if line.lstrip()[:1] == b"[" else [_INCOMING.decode(line)]
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def request(number: RequestId, method: str, params: Params) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def notification(method: str, params: Params) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params})


def answer(number: RequestId, result: JsonValue) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "result": result})


def not_offered(number: RequestId, method: str) -> bytes:
    """Return the answer to a request of the server for what we don't offer."""
    error = {"code": METHOD_NOT_FOUND, "message": f"llm-orc does not offer {method[:80]}"}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "error": error})


def with_meta(params: Mapping[str, JsonValue], more: Params) -> Params:
    """Return the parameters with more in their `_meta`."""
    meta = params.get("_meta")
    return {**params, "_meta": {**(meta if isinstance(meta, dict) else {}), **more}}


def stamped(params: Mapping[str, JsonValue], version: str, capabilities: Params) -> Params:
    """Return the parameters of a request that stands for itself: with version, client and capabilities."""
    more: Params = {_VERSION_KEY: version, _CLIENT_KEY: CLIENT, _CAPABILITIES_KEY: capabilities}
    return with_meta(params, more)


def object_in(value: JsonValue, *names: str) -> dict[str, JsonValue]:
    """Return the object at these names; empty if there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text_in(value: JsonValue, *names: str) -> str:
    """Return the text at these names; empty if there is none."""
    *way, last = names
    found = object_in(value, *way).get(last)
    return found if isinstance(found, str) else ""


def list_in(value: JsonValue, *names: str) -> list[JsonValue]:
    """Return the list at these names; empty if there is none."""
    *way, last = names
    found = object_in(value, *way).get(last)
    return found if isinstance(found, list) else []
