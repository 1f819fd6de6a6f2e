"""Servers that others have written: our client, and a run's tools, before the reference server and the Python SDK's."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.app.tools.permission import Layers, rule_of
from llm_orc.app.tools.servers import client_of, find_server
from llm_orc.app.tools.toolbox import Toolbox
from llm_orc.engine.events import AgentFinished
from llm_orc.mcp.client import Progress
from llm_orc.net.http import Http
from tests.agents.tool_sources.uses import a_use
from tests.agents.tools.conftest import WrittenModel, call, run
from tests.app.conftest import Workspace

pytestmark = pytest.mark.interop

_HERE = Path(__file__).parent
_EVERYTHING = _HERE / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
_SDK = _HERE / "sdk_server.py"
_START_LIMIT_S = 30
Settings = dict[str, Any]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@asynccontextmanager
async def over_http(*argv: str, port: int) -> AsyncIterator[Settings]:
    """A server of its own process at `port`."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env={**os.environ, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + _START_LIMIT_S
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert time.monotonic() < until, f"{argv} did not start"
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield {"url": f"http://127.0.0.1:{port}/mcp"}
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def everything(way: str) -> AsyncIterator[Settings]:
    node = shutil.which("node")
    assert node is not None, "these tests need Node.js 20 or newer"
    if way == "stdio":
        yield {"command": [node, str(_EVERYTHING), "stdio"]}
        return
    async with over_http(node, str(_EVERYTHING), "streamableHttp", port=free_port()) as settings:
        yield settings


@asynccontextmanager
async def sdk(way: str) -> AsyncIterator[Settings]:
    """A server of the Python SDK, which speaks both eras of the protocol."""
    if way == "stdio":
        yield {"command": [sys.executable, str(_SDK)]}
        return
    port = free_port()
    async with over_http(sys.executable, str(_SDK), str(port), port=port) as settings:
        yield settings


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_the_reference_server_is_used_by_our_client(way: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    async with everything(way) as settings:
        workspace = Workspace(tmp_path)
        workspace.settings({"mcp_servers": {"every": settings}})
        app = workspace.app()
        async with Http(app.settings.network, max_connections=4) as http:
            client = client_of(app, http, find_server(app, "every"))
            try:
                info = await client.info()
                names = [tool.name for tool in await client.tools()]
                long = await client.call(
                    "trigger-long-running-operation", {"duration": 0.2, "steps": 2}, progress=told.append
                )
                weather = await client.call("get-structured-content", {"location": "Chicago"})
                image = await client.call("get-tiny-image", {})
                wrong = await client.call("get-sum", {"a": "not a number"})
            finally:
                await client.close()

    assert info.version == "2025-11-25"
    assert {"echo", "get-sum", "get-env"} <= set(names)
    assert "completed" in long.text
    assert [(one.done, one.total) for one in told] == [(1, 2), (2, 2)]
    assert isinstance(weather.data, dict)
    assert "temperature" in weather.data
    assert image.left_out == ("image image/png",)
    assert wrong.is_error


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_the_tools_of_a_run_reach_the_reference_server_and_it_gets_no_variables_of_ours(
    way: str, tmp_path: Path
) -> None:
    async with everything(way) as settings:
        workspace = Workspace(tmp_path, {**os.environ, "OPENAI_API_KEY": "sk-canary-7731"})
        workspace.settings({"mcp_servers": {"every": settings}})
        layers = Layers(settings=(rule_of("mcp.every.*", "allow", "the test"),))
        async with Toolbox(workspace.app(), layers, None) as box:
            tools = {tool.name: tool for tool in await box.offered(AgentPath("reader"), ["mcp.every.*"])}
            echo = tools["mcp.every.echo"]
            assert await box.refusal(a_use(), echo, {"message": "hello"}) is None
            said = await echo.call(a_use(), {"message": "hello"})
            env = await tools["mcp.every.get-env"].call(a_use(), {})

    assert "hello" in said.text
    assert way == "http" or "sk-canary-7731" not in env.text
    assert "PATH" in env.text


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_model_goes_on_with_what_the_reference_server_returned(way: str, tmp_path: Path) -> None:
    model = WrittenModel(
        [call("mcp_every_get-sum", {"a": 2, "b": 3}), call("mcp_every_echo", {"message": "hello"})],
        [call("mcp_every_get-sum", {"a": "two"})],
        "Done.",
    )
    spec = AgentSpec("a", ModelWork(tools=("mcp.every.get-sum", "mcp.every.echo")))
    async with everything(way) as settings:
        workspace = Workspace(tmp_path)
        workspace.settings({"mcp_servers": {"every": settings}})
        layers = Layers(settings=(rule_of("mcp.every.*", "allow", "the test"),))
        async with Toolbox(workspace.app(), layers, None) as box:
            sink = await run(model, box, spec)

    assert [e.output.text for e in sink.events if isinstance(e, AgentFinished)] == ["Done."]
    total, echoed = model.requests[1].messages[-1].results
    assert ("5" in total.text, "hello" in echoed.text) == (True, True)
    (refused,) = model.requests[2].messages[-1].results
    assert refused.is_error
    assert "schema" in refused.text


@pytest.mark.parametrize(
    ("way", "versions"),
    [
        ("stdio", (None,)),
        ("stdio", ("2025-11-25",)),
        ("http", (None, "2025-11-25", "2025-06-18")),
    ],
    ids=str,
)
async def test_the_sdk_server_speaks_each_version_with_us(
    way: str, versions: tuple[str | None, ...], tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)
    async with sdk(way) as settings:
        for version in versions:
            workspace.settings({"mcp_servers": {"sdk": settings | ({"protocol": version} if version else {})}})
            await use_the_sdk_server(workspace, version or "2026-07-28")


async def use_the_sdk_server(workspace: Workspace, version: str) -> None:
    app, told = workspace.app(), list[Progress]()
    async with Http(app.settings.network, max_connections=4) as http:
        client = client_of(app, http, find_server(app, "sdk"))
        try:
            info = await client.info()
            added = await client.call("add", {"a": 1, "b": 2})
            slow = await client.call("slow", {}, progress=told.append)
            bad = await client.call("bad", {})
        finally:
            await client.close()

    assert info.version == version
    assert added.data == {"result": 3}
    assert (slow.text, [one.done for one in told]) == ("done", [0, 1, 2])
    assert bad.is_error
