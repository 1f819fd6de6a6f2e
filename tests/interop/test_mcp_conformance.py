"""The official judge of the Model Context Protocol before our client: what each revision requires of clients."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_orc.errors import ToolServerFailed
from tests.app.conftest import Workspace
from tests.interop.mcp_client import use_everything

pytestmark = pytest.mark.interop

_HERE = Path(__file__).parent
_JUDGE = _HERE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
_LIMIT_S = 90
_AT_ONCE = 4  # clients; the judge starts all its scenarios together
_CLIENT_LIMIT_S = 20
_LIMITS_S = {"elicitation-sep1034-client-defaults": 2}  # it waits for an answer that can't come

_SECRETS = "a client that has to keep a secret: a program that anybody may install can't keep one"
_GRANTS = "an extension: access without a person, or bound to a key"
_ASKING = "a server that asks the person something in the middle of a call: it is told that nobody can answer"
NOT_DONE: dict[str, str] = {
    "auth/client-credentials-basic": _GRANTS,
    "auth/client-credentials-jwt": _GRANTS,
    "auth/dpop": _GRANTS,
    "auth/dpop-nonce": _GRANTS,
    "auth/enterprise-managed-authorization": _GRANTS,
    "auth/pre-registration": _SECRETS,
    "auth/token-endpoint-auth-basic": _SECRETS,
    "auth/token-endpoint-auth-post": _SECRETS,
    "auth/wif-jwt-bearer": _GRANTS,
    "elicitation-sep1034-client-defaults": _ASKING,
    "sep-2322-client-request-state": _ASKING,
}
"""Scenarios that our client does not pass, and what they are about."""


@dataclass
class Clients:
    """Our client, whenever the judge starts one. `raised` says what it raised: often it has to."""

    root: Path
    raised: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = json.loads(await reader.readline())
        scenario = told["MCP_CONFORMANCE_SCENARIO"]
        workspace = Workspace(self.root / scenario.replace("/", "-"))
        context: dict[str, Any] = json.loads(told.get("MCP_CONFORMANCE_CONTEXT", "{}"))
        limit_s = _LIMITS_S.get(scenario, _CLIENT_LIMIT_S)
        try:
            async with self.gate:
                await asyncio.wait_for(use_everything(workspace, told["url"], context), limit_s)
        except Exception as e:  # noqa: BLE001 - whatever it is, the judge is told
            self.raised[scenario] = f"{type(e).__name__}: {e}"
        writer.write(b"failed\n" if scenario in self.raised else b"done\n")
        await writer.drain()
        writer.close()


async def judge(revision: str, port: int, out: Path) -> str:
    """Let the judge try all that the revision requires; return what it says."""
    node = shutil.which("node")
    assert node is not None, "these tests need Node.js 20 or newer"
    assert _JUDGE.is_file(), "first run: npm --prefix tests/interop ci"
    command = f"{sys.executable} -I -S {_HERE / 'relay.py'} {port}"
    options = ["--requirements", revision, "--command", command, "--timeout", str(_LIMIT_S * 1000), "-o", str(out)]
    process = await asyncio.create_subprocess_exec(
        *(node, "--import", str(_HERE / "fit_judge.mjs"), str(_JUDGE), "client", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), _LIMIT_S)
    return said.decode()


def failed_in(out: Path) -> dict[str, list[str]]:
    """Return what failed, by scenario; the judge writes a folder for each."""
    failed: dict[str, list[str]] = {}
    for file in out.rglob("checks.json"):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", file.parent.relative_to(out).as_posix())
        for check in json.loads(file.read_text(encoding="utf-8")):
            if check["status"] == "FAILURE":
                failed.setdefault(scenario, []).append(f"{check['id']}: {check.get('errorMessage', '')}")
    return failed


@pytest.mark.parametrize(("revision", "least"), [("2025-11-25", 12), ("2026-07-28", 24)])
async def test_our_client_does_what_the_revision_requires(revision: str, least: int, tmp_path: Path) -> None:
    clients, out = Clients(tmp_path), tmp_path / "out"
    with suppress(
        ToolServerFailed
    ):  # loads all that is loaded when it is needed: a cold start looks like a slow server
        await use_everything(Workspace(tmp_path / "cold"), "http://127.0.0.1:9/mcp", {})
    async with await asyncio.start_server(clients.serve, "127.0.0.1", 0) as server:
        said = await judge(revision, server.sockets[0].getsockname()[1], out)

    failed = failed_in(out)
    passed = {line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("✓ ")}
    assert failed.keys() <= NOT_DONE.keys(), (failed, clients.raised, said[-3000:])
    assert len(passed) >= least, said[-3000:]
