"""A server of the Model Context Protocol on standard input and output, with the faults that real ones have.

Run as a program: `python mcp_server.py FAULT…`. Written from the specification, without a library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

TOOLS = [
    {
        "name": "add",
        "description": "Add two numbers",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
        "annotations": {"readOnlyHint": True, "idempotentHint": True},
    },
    {"name": "echo", "description": "Say it again", "inputSchema": {"type": "object"}},
    {"name": "fail", "inputSchema": {"type": "object"}},
    {"name": "list", "inputSchema": {"type": "array"}},
    {"inputSchema": {"type": "object"}},
]
NEWEST = "2026-07-28"


class Server:
    """Answers requests; `faults` says what it does wrong."""

    def __init__(self, faults: frozenset[str], write: Callable[[dict[str, Any]], None]) -> None:
        self.faults, self.write = faults, write
        self.tools = TOOLS

    def take(self, message: dict[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if method == "notifications/cancelled":
            print(f"cancelled {message['params']['requestId']}", file=sys.stderr, flush=True)
        if number is None or method is None:
            return
        if "silent" in self.faults and method == "server/discover":
            return
        answer = getattr(self, str(method).replace("/", "_"), None)
        meta = message.get("params", {}).get("_meta", {})
        if answer is None or ("older" in self.faults and method == "server/discover"):
            self.error(number, -32601, f"unknown method {method}")
        elif "newest" in self.faults and meta.get("io.modelcontextprotocol/protocolVersion") != NEWEST:
            self.error(number, -32022, "unsupported version", {"supported": [NEWEST]})
        elif "hesitant" in self.faults:  # it refuses what it then says it wants
            self.faults -= {"hesitant"}
            self.error(number, -32022, "unsupported version", {"supported": [NEWEST]})
        else:
            answer(number, message.get("params", {}))

    def result(self, number: Any, result: dict[str, Any]) -> None:
        self.write({"jsonrpc": "2.0", "id": number, "result": result})

    def error(self, number: Any, code: int, text: str, data: Any = None) -> None:
        self.write({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text, "data": data}})

    def server_discover(self, number: Any, _params: dict[str, Any]) -> None:
        server = {"name": "fake", "version": "7"}
        capabilities: dict[str, Any] = {"tools": {}}
        self.result(
            number,
            {
                "supportedVersions": [NEWEST],
                "capabilities": capabilities,
                "_meta": {"io.modelcontextprotocol/serverInfo": server},
            },
        )

    def initialize(self, number: Any, params: dict[str, Any]) -> None:
        version = "1999-01-01" if "ancient" in self.faults else params["protocolVersion"]
        server = {"name": "fake", "version": "7"}
        self.result(number, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server})

    def tools_list(self, number: Any, params: dict[str, Any]) -> None:
        start = int(params.get("cursor", "0"))
        page = {"tools": self.tools[start : start + 2]}
        if start + 2 < len(self.tools):
            page["nextCursor"] = str(start + 2)  # type: ignore[assignment]
        if "endless" in self.faults:
            page["nextCursor"] = "0"  # type: ignore[assignment]
        self.result(number, page)

    def tools_call(self, number: Any, params: dict[str, Any]) -> None:  # noqa: C901 - one case for each tool
        arguments = params.get("arguments", {})
        match params["name"]:
            case "add":
                total = arguments["a"] + arguments["b"]
                text = {"type": "text", "text": str(total)}
                self.result(number, {"content": [text], "structuredContent": {"total": total}})
            case "echo":
                token = params.get("_meta", {}).get("progressToken")
                progress = {"progressToken": token, "progress": 1, "total": 2, "message": "half"}
                self.write({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress})
                self.write({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}})
                image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
                text = {"type": "text", "text": json.dumps(arguments)}
                self.result(number, {"content": [text, image]})
            case "fail":
                self.result(number, {"content": [{"type": "text", "text": "no such file"}], "isError": True})
            case "ask":
                asked = {"q": {"method": "elicitation/create", "params": {"message": "Which one?"}}}
                self.result(number, {"resultType": "input_required", "inputRequests": asked})
            case "change":
                self.tools = [{"name": "new", "inputSchema": {"type": "object"}}]
                self.write({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
                self.result(number, {"content": []})
            case "deep":
                deep: list[Any] = []
                for _ in range(300):
                    deep = [deep]
                self.result(number, {"content": [], "structuredContent": deep})
            case "sleep":
                return
            case "die":
                print("out of memory", file=sys.stderr, flush=True)
                os._exit(3)
            case "spawn":
                child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
                self.result(number, {"content": [{"type": "text", "text": f"{os.getpid()} {child.pid}"}]})
            case name:
                self.error(number, -32602, f"unknown tool {name}")


def main() -> None:
    faults = frozenset(sys.argv[1:])

    def write(message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    server = Server(faults, write)
    if "chatty" in faults:
        print("Welcome to the fake server", flush=True)
    if "broken" in faults:
        print("cannot find its settings", file=sys.stderr)
        sys.exit(2)
    for line in sys.stdin:
        server.take(json.loads(line))
    if "stubborn" in faults:
        time.sleep(600)


if __name__ == "__main__":
    main()
