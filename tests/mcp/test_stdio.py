"""Servers that are child processes: both eras of the protocol, calls, faults, and their end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import ToolCallRefused, ToolServerFailed, ToolServerTimedOut
from llm_orc.mcp.client import McpClient, Progress
from llm_orc.mcp.stdio import StdioConnection
from llm_orc.processes.environment import basic_environment
from tests.fakes import mcp_server
from tests.processes.test_death import is_running

if TYPE_CHECKING:
    from llm_orc.mcp.connection import Listener

ARGV = (sys.executable, "-I", "-S", str(Path(mcp_server.__file__)))


def server(*faults: str, limit_s: float = 20, version: str | None = None, patience_s: float = 3) -> McpClient:
    async def connect(listener: Listener) -> StdioConnection:
        return await StdioConnection.start(
            "fake", [*ARGV, *faults], basic_environment(os.environ), Path.cwd(), listener
        )

    return McpClient("fake", connect, limit_s=limit_s, version=version, patience_s=patience_s)


@pytest.mark.parametrize(
    ("fault", "version"),
    [("newest", "2026-07-28"), ("older", "2025-11-25"), ("chatty", "2026-07-28"), ("hesitant", "2026-07-28")],
)
async def test_the_newest_version_that_both_know_is_spoken(fault: str, version: str) -> None:
    client = server(fault)
    try:
        info = await client.info()

        assert (info.version, info.name, info.release) == (version, "fake", "7")
        assert (await client.call("add", {"a": 2, "b": 3})).data == {"total": 5}
    finally:
        await client.close()


async def test_an_older_server_that_says_nothing_to_what_it_does_not_know_is_asked_as_before() -> None:
    client = server("silent", patience_s=0.1)
    try:
        assert (await client.info()).version == "2025-11-25"
    finally:
        await client.close()


async def test_tools_are_listed_over_all_pages_and_those_that_cannot_be_offered_are_named() -> None:
    client = server()
    try:
        tools = await client.tools()

        assert [tool.name for tool in tools] == ["add", "echo", "fail"]
        assert (tools[0].only_reads, tools[0].destroys, tools[0].is_idempotent) == (True, None, True)
        assert client.left_out == ("`list`: its arguments are no object", "a tool without a name")
    finally:
        await client.close()


async def test_pages_without_end_are_read_once() -> None:
    client = server("endless")
    try:
        assert [tool.name for tool in await client.tools()] == ["add", "echo"]
    finally:
        await client.close()


async def test_tools_that_change_are_listed_again() -> None:
    client = server()
    try:
        await client.tools()
        await client.call("change", {})

        assert [tool.name for tool in await client.tools()] == ["new"]
    finally:
        await client.close()


async def test_progress_is_told_and_what_a_server_wants_of_us_is_refused() -> None:
    client, told = server(), list[Progress]()
    try:
        result = await client.call("echo", {"x": "é"}, progress=told.append)

        assert result.text == '{"x": "\\u00e9"}'
        assert result.left_out == ("image image/png",)
        assert told == [Progress(1, 2, "half")]
    finally:
        await client.close()


async def test_a_tool_that_fails_is_a_result() -> None:
    client = server()
    try:
        result = await client.call("fail", {})
        asked = await client.call("ask", {})

        assert (result.is_error, result.text) == (True, "no such file")
        assert asked.is_error
        assert "Which one?" in asked.text
    finally:
        await client.close()


async def test_an_error_of_the_protocol_names_server_and_tool() -> None:
    client = server()
    try:
        with pytest.raises(ToolCallRefused, match="`fake` refused `nothing`: unknown tool nothing"):
            await client.call("nothing", {})
    finally:
        await client.close()


async def test_a_call_that_takes_too_long_is_cancelled_and_others_go_on() -> None:
    client = server()
    try:
        with pytest.raises(ToolServerTimedOut, match=r"did not answer `tools/call` within 0\.2 s"):
            await client.call("sleep", {}, limit_s=0.2)

        assert (await client.call("add", {"a": 1, "b": 1})).text == "2"
    finally:
        await client.close()


async def test_many_calls_at_once_get_their_own_answers() -> None:
    client = server()
    try:
        results = await asyncio.gather(*(client.call("add", {"a": n, "b": 1}) for n in range(100)))

        assert [result.text for result in results] == [str(n + 1) for n in range(100)]
    finally:
        await client.close()


async def test_a_server_that_dies_fails_the_call_and_starts_again_for_the_next() -> None:
    client = server()
    try:
        with pytest.raises(ToolServerFailed, match=r"`fake` ended \(exit code 3\): out of memory"):
            await client.call("die", {})

        assert (await client.call("add", {"a": 1, "b": 1})).text == "2"
    finally:
        await client.close()


async def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(ToolServerFailed, match="cannot find its settings"):
        await server("broken").info()
    with pytest.raises(ToolServerFailed, match="1999-01-01"):
        await server("ancient", "older").info()


async def test_its_own_children_end_with_it() -> None:
    client = server("stubborn")
    said = await client.call("spawn", {})
    pids = [int(word) for word in said.text.split()]
    assert all(is_running(pid) for pid in pids)

    await client.close()

    async with asyncio.timeout(2):  # a signal takes effect when its process has a turn
        while any(is_running(pid) for pid in pids):
            await asyncio.sleep(0.01)


_KILLED = """
import asyncio
from tests.mcp.test_stdio import server

async def main():
    print((await server("stubborn").call("spawn", {})).text, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_no_process_is_left_when_we_are_killed() -> None:
    ours = subprocess.Popen([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE)
    assert ours.stdout is not None
    pids = [int(word) for word in ours.stdout.readline().split()]

    ours.kill()
    ours.wait()

    until = time.monotonic() + 5
    while any(is_running(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(is_running(pid) for pid in pids)
    ours.stdout.close()
