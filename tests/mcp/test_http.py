"""Servers over HTTP: sessions, streams, headers, and what is not followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from llm_orc.errors import CredentialRefused, NotLoggedIn, ToolServerFailed, ToolServerTimedOut
from llm_orc.mcp.client import McpClient, Progress
from llm_orc.mcp.http import HttpConnection, NoCredentials
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from tests.fakes.loopback import Loopback, Silence, answer, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.mcp.connection import Listener

ADD = {"name": "add", "inputSchema": {"type": "object"}}
OLDER = {"protocolVersion": "2025-11-25", "serverInfo": {"name": "old"}, "capabilities": {}}
NEWEST = {"supportedVersions": ["2026-07-28"], "capabilities": {}}


def result(number: int, said: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": said}


def event(data: Any, more: bytes = b"") -> bytes:
    return more + b"data: " + msgspec.json.encode(data) + b"\n\n"


TEXT = {"content": [{"type": "text", "text": "3"}]}


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    server = Loopback()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(), 10) as transport:
        yield transport


def client(
    loopback: Loopback, http: Http, version: str | None = None, headers: dict[str, str] | None = None
) -> McpClient:
    async def connect(listener: Listener) -> HttpConnection:
        credentials = NoCredentials("fake", headers or {})
        return HttpConnection("fake", f"{loopback.url}/mcp", http, credentials, listener)

    return McpClient("fake", connect, limit_s=5, version=version)


async def test_a_request_of_the_newest_version_stands_for_itself(loopback: Loopback, http: Http) -> None:
    schema = {"type": "object", "properties": {"place": {"type": "string", "x-mcp-header": "Place"}}}
    tools = {"tools": [{"name": "größe", "inputSchema": schema}]}
    loopback.answers(answer(result(1, NEWEST)), answer(result(2, tools)), answer(result(3, TEXT)))

    said = await client(loopback, http).call("größe", {"place": "Berlin"})

    assert said.text == "3"
    heard = loopback.heard[2]
    assert heard.headers["mcp-protocol-version"] == "2026-07-28"
    assert heard.headers["mcp-method"] == "tools/call"
    assert heard.headers["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="
    assert heard.headers["mcp-param-place"] == "Berlin"
    assert "mcp-session-id" not in heard.headers
    meta = heard.json["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
    assert heard.json["params"]["arguments"] == {"place": "Berlin"}


async def test_an_older_server_keeps_a_session_until_we_end_it(loopback: Loopback, http: Http) -> None:
    loopback.answers(
        answer({"error": "what?"}, 404),
        answer(result(2, OLDER), headers={"Mcp-Session-Id": "s-1"}),
        answer(status=202),
        answer(result(3, {"tools": [ADD]})),
        answer(status=204),
    )
    mcp = client(loopback, http)

    assert [tool.name for tool in await mcp.tools()] == ["add"]
    await mcp.close()

    methods = [heard.json["method"] if heard.body else heard.method for heard in loopback.heard]
    assert methods == ["server/discover", "initialize", "notifications/initialized", "tools/list", "DELETE"]
    assert [heard.headers.get("mcp-session-id") for heard in loopback.heard[1:]] == [None, *["s-1"] * 3]
    assert [heard.headers.get("mcp-protocol-version") for heard in loopback.heard[1:]] == [
        None,
        *["2025-11-25"] * 3,
    ]


async def test_a_session_that_the_server_has_forgotten_is_begun_again(loopback: Loopback, http: Http) -> None:
    begin = (answer(result(1, OLDER), headers={"Mcp-Session-Id": "s-1"}), answer(status=202))
    again = (answer(result(3, OLDER), headers={"Mcp-Session-Id": "s-2"}), answer(status=202))
    loopback.answers(*begin, answer(status=404), answer(status=404), *again, answer(result(4, {"tools": [ADD]})))

    tools = await client(loopback, http, "2025-11-25").tools()

    assert [tool.name for tool in tools] == ["add"]
    assert loopback.heard[-1].headers["mcp-session-id"] == "s-2"


async def test_a_stream_tells_progress_before_its_answer(loopback: Loopback, http: Http) -> None:
    progress = {"progressToken": "3", "progress": 1, "total": 4}
    told = {"jsonrpc": "2.0", "method": "notifications/progress", "params": progress}
    loopback.answers(
        answer(result(1, NEWEST)),
        answer(result(2, {"tools": [ADD]})),
        stream(event(told), event(result(3, TEXT))),
    )
    heard = list[Progress]()

    assert (await client(loopback, http).call("add", {}, progress=heard.append)).text == "3"
    assert heard == [Progress(1, 4)]


async def test_a_stream_that_breaks_off_goes_on_after_its_last_event(loopback: Loopback, http: Http) -> None:
    loopback.answers(
        answer(result(1, NEWEST)),
        answer(result(2, {"tools": [ADD]})),
        stream(b"id: e-7\nretry: 1\ndata:\n\n"),
        stream(event(result(3, TEXT), b"id: e-8\n")),
    )

    assert (await client(loopback, http).call("add", {})).text == "3"
    assert (loopback.heard[3].method, loopback.heard[3].headers["last-event-id"]) == ("GET", "e-7")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            answer(status=307, headers={"Location": "http://elsewhere.test/"}),
            "redirects to http://elsewhere.test/",
        ),
        (answer(b"out of order", 500, content_type="text/plain"), "answered with status 500: out of order"),
        (answer(b"<html>", content_type="text/html"), "ended its answer without a result"),
        (stream(event({"jsonrpc": "2.0", "method": "notifications/x"})), "ended its answer without a result"),
    ],
)
async def test_what_is_no_answer_fails_the_server(
    loopback: Loopback, http: Http, script: list[Any], words: str
) -> None:
    loopback.answers(script)

    with pytest.raises(ToolServerFailed, match=words):
        await client(loopback, http, "2026-07-28").info()


async def test_a_server_that_is_not_there_is_named_with_its_address(loopback: Loopback, http: Http) -> None:
    await loopback.stop()

    with pytest.raises(ToolServerFailed, match=f"`fake` at {loopback.url}/mcp: Connect"):
        await client(loopback, http).info()


async def test_an_answer_that_does_not_come_in_time_ends_the_call_alone(loopback: Loopback, http: Http) -> None:
    loopback.answers(answer(result(1, NEWEST)), answer(result(2, {"tools": [ADD]})), [Silence])
    mcp = client(loopback, http)
    await mcp.tools()

    with pytest.raises(ToolServerTimedOut):
        await mcp.call("add", {}, limit_s=0.1)


async def test_a_refusal_without_credentials_asks_for_a_sign_in(loopback: Loopback, http: Http) -> None:
    loopback.answers(answer(status=401, headers={"WWW-Authenticate": "Bearer"}))

    with pytest.raises(NotLoggedIn, match="`fake` needs a sign-in"):
        await client(loopback, http).info()
    with pytest.raises(CredentialRefused, match="refused the headers"):
        await client(loopback, http, headers={"Authorization": "Bearer x"}).info()
