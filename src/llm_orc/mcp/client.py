"""A client of one server: agrees on a version, lists its tools and calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import ToolCallRefused, ToolServerError, ToolServerFailed
from llm_orc.mcp.connection import RpcFailed, SessionGone
from llm_orc.mcp.param_headers import headers_for
from llm_orc.mcp.tools import McpTool, ToolResult, read_result, read_tool
from llm_orc.mcp.wire import (
    CLIENT,
    HANDSHAKE_VERSIONS,
    SERVER_KEY,
    STATELESS_VERSION,
    UNSUPPORTED_VERSION,
    Incoming,
    answer,
    list_in,
    not_offered,
    object_in,
    stamped,
    text_in,
    with_meta,
)
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.connection import Connection, Listener
    from llm_orc.mcp.wire import Params

Connect = Callable[["Listener"], Awaitable["Connection"]]
"""Makes a connection; the listener takes what the server says by itself."""

_PATIENCE_S = 3.0  # an older server may not answer what it doesn't know
_MOST_PAGES = 200
_MOST_LISTINGS = 5  # one after another, as the tools change
_MOST_TOOLS = 2000
_MOST_ROUNDS = 10  # in which a server may ask for more


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is, as the server says: `done` of `total`, if it knows that."""

    done: float
    total: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says of itself. `version` is the protocol's."""

    version: str
    name: str = ""
    release: str = ""
    instructions: str = ""


class McpClient:
    """Talks with one server. Create it with `connect`, and close it.

    `limit_s` is the longest time for one request. We declare no capabilities: what a server asks of us is refused.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        *,
        limit_s: float,
        version: str | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`version` None: the newest that both sides know; `patience_s` is how long we wait for it alone."""
        self.name, self.limit_s = name, limit_s
        self._connect, self._wanted, self._patience_s = connect, version, patience_s
        self._numbers = count(1)
        self._connection: Connection | None = None
        self._info: ServerInfo | None = None
        self._progress: dict[str, Callable[[Progress], None]] = {}
        self._tools: tuple[McpTool, ...] | None = None
        self._lock, self._listing = asyncio.Lock(), asyncio.Lock()
        self._has_changed = False  # since the tools were asked for
        self.left_out: tuple[str, ...] = ()  # tools that can't be offered, and why

    async def info(self) -> ServerInfo:
        """Connect, if that has not happened, and return what the server says of itself.

        Raises `ToolServerFailed`, `ToolServerTimedOut`, `ToolCallRefused`, `AuthError`.
        """
        async with self._lock:
            if self._info is None:
                self._connection = await self._connect(self._hear)
                try:
                    self._info = await self._agreed(self._connection)
                except RpcFailed as e:
                    await self._leave()
                    raise self._refused("initialize", e) from e
                except BaseException:
                    await self._leave()
                    raise
            return self._info

    async def close(self) -> None:
        """End the connection, and the server if it is a process of ours. Never raises."""
        async with self._lock:
            await self._leave()

    async def _leave(self) -> None:
        connection, self._connection, self._info, self._tools = self._connection, None, None, None
        if connection is not None:
            await asyncio.shield(asyncio.ensure_future(connection.close()))

    async def _leave_if(self, connection: Connection) -> None:
        async with self._lock:
            if self._connection is connection:
                await self._leave()

    async def tools(self) -> tuple[McpTool, ...]:
        """Return all its tools: asked once, and again after it said that they have changed."""
        async with self._listing:
            for _ in range(_MOST_LISTINGS):
                if self._tools is not None:
                    break
                await self.info()
                self._has_changed = False
                found = await self._listed()
                if not self._has_changed:
                    self._tools = found
            else:
                raise ToolServerFailed(f"the tools of the MCP server `{self.name}` change while they are listed")
            return self._tools

    async def call(
        self,
        tool: str,
        arguments: dict[str, JsonValue],
        *,
        progress: Callable[[Progress], None] | None = None,
        limit_s: float | None = None,
    ) -> ToolResult:
        """Call a tool and return its result; a tool that fails is a result with `is_error`.

        Raises `ToolCallRefused` if the server answers with an error, and what `info` raises.
        """
        known = next((one for one in await self.tools() if one.name == tool), None)
        headers = {} if known is None else headers_for(known.headers, arguments)
        params: Params = {"name": tool, "arguments": arguments}
        for _ in range(_MOST_ROUNDS):
            result = await self._request("tools/call", params, headers, progress, limit_s)
            if text_in(result, "resultType") != "input_required":
                return read_result(result)
            asked = object_in(result, "inputRequests")
            if asked:
                words = "; ".join(one_line(text_in(one, "params", "message"))[:200] for one in asked.values())
                text = (
                    f"The tool asks for something that nobody can answer here: {words or 'it does not say what'}"
                )
                return ToolResult(text, is_error=True)
            params = {**params, "requestState": object_in(result).get("requestState")}
        raise ToolCallRefused(f"the MCP server `{self.name}` asks again and again instead of answering `{tool}`")

    async def _listed(self) -> tuple[McpTool, ...]:
        found: dict[str, McpTool] = {}
        left_out: list[str] = []
        cursors: set[str] = set()
        cursor = ""
        for _ in range(_MOST_PAGES):
            page = await self._request("tools/list", {"cursor": cursor} if cursor else {}, {}, None, None)
            for row in list_in(page, "tools")[:_MOST_TOOLS]:
                tool = read_tool(row)
                if isinstance(tool, str):
                    left_out.append(tool)
                else:
                    found.setdefault(tool.name, tool)
            cursor = text_in(page, "nextCursor")
            if not cursor or cursor in cursors or len(found) + len(left_out) >= _MOST_TOOLS:
                break
            cursors.add(cursor)
        self.left_out = tuple(left_out)
        return tuple(found.values())

    async def _request(
        self,
        method: str,
        params: Params,
        headers: dict[str, str],
        progress: Callable[[Progress], None] | None,
        limit_s: float | None,
    ) -> JsonValue:
        for is_again in (False, True):
            info = await self.info()
            number = next(self._numbers)
            connection = self._connection
            assert connection is not None
            sent = params
            if progress is not None:
                self._progress[str(number)] = progress
                sent = with_meta(sent, {"progressToken": str(number)})
            if info.version == STATELESS_VERSION:
                sent = stamped(sent, info.version, {})
            limit = self.limit_s if limit_s is None else limit_s
            try:
                return await connection.request(number, method, sent, headers=headers, limit_s=limit)
            except RpcFailed as e:
                raise self._refused(str(params.get("name", method)), e) from e
            except ToolServerFailed:
                await self._leave_if(connection)  # the next call starts it again
                raise
            except SessionGone:
                await self._leave_if(connection)
                if is_again:
                    raise ToolServerFailed(f"the MCP server `{self.name}` ends each session at once") from None
            finally:
                self._progress.pop(str(number), None)
        raise AssertionError("unreachable")

    async def _agreed(self, connection: Connection) -> ServerInfo:
        """Ask in the newest version; a server that doesn't know it is an older one.

        Some older servers say nothing to what they don't know, and some servers are slow to start: after a while
        they are asked in both ways, and whichever they answer counts.
        """
        if self._wanted == STATELESS_VERSION:
            return await self._discovered(connection)
        if self._wanted is not None:
            return await self._initialized(connection)
        asked = [asyncio.ensure_future(self._discovered(connection))]
        try:
            await asyncio.wait(asked, timeout=self._patience_s)
            if asked[0].done() and asked[0].exception() is None:
                return asked[0].result()
            if not _any_speaks_only_newest(asked):
                asked.append(asyncio.ensure_future(self._initialized(connection)))
                for answered in asyncio.as_completed(asked):
                    with suppress(RpcFailed, ToolServerError):
                        return await answered
            if _any_speaks_only_newest(asked):
                return await self._discovered(
                    connection
                )  # it names the very version that it refused: not ready then
            return asked[1].result()
        finally:
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _discovered(self, connection: Connection) -> ServerInfo:
        params = stamped({}, STATELESS_VERSION, {})
        headers = {"MCP-Protocol-Version": STATELESS_VERSION}
        said = await connection.request(
            next(self._numbers), "server/discover", params, headers=headers, limit_s=self.limit_s
        )
        if STATELESS_VERSION not in list_in(said, "supportedVersions"):
            return await self._initialized(connection)
        connection.speaks(STATELESS_VERSION)
        server = object_in(said, "_meta", SERVER_KEY)
        return _info(STATELESS_VERSION, server, said)

    async def _initialized(self, connection: Connection) -> ServerInfo:
        wanted = self._wanted if self._wanted in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0]
        params: Params = {"protocolVersion": wanted, "capabilities": {}, "clientInfo": CLIENT}
        said = await connection.request(
            next(self._numbers), "initialize", params, headers={}, limit_s=self.limit_s
        )
        version = text_in(said, "protocolVersion")
        if version not in HANDSHAKE_VERSIONS:
            spoken = f"version `{one_line(version)[:40]}`" if version else "no version that it names"
            raise ToolServerFailed(
                f"the MCP server `{self.name}` speaks {spoken} of the protocol, which this release does not know",
                hint="Update the server, or llm-orc.",
            )
        connection.speaks(version)
        await connection.notify("notifications/initialized", {})
        return _info(version, object_in(said, "serverInfo"), said)

    def _hear(self, message: Incoming) -> bytes | None:
        if message.id is not None:
            return answer(message.id, {}) if message.method == "ping" else not_offered(message.id, message.method)
        match message.method:
            case "notifications/tools/list_changed":
                self._tools, self._has_changed = None, True
            case "notifications/progress":
                self._hear_progress(message.params)
            case _:
                pass
        return None

    def _hear_progress(self, params: Params) -> None:
        listener = self._progress.get(str(params.get("progressToken")))
        done, total = params.get("progress"), params.get("total")
        if listener is not None and isinstance(done, int | float):
            whole = float(total) if isinstance(total, int | float) else None
            listener(Progress(float(done), whole, one_line(text_in(params, "message"))[:200]))

    def _refused(self, what: str, failed: RpcFailed) -> ToolCallRefused:
        words = one_line(failed.error.message)[:300] or f"error {failed.error.code}"
        return ToolCallRefused(f"the MCP server `{self.name}` refused `{what}`: {words}")


def _any_speaks_only_newest(asked: Sequence[asyncio.Future[ServerInfo]]) -> bool:
    """Did the server refuse one of these by naming the newest version as one that it knows?"""
    failures = [one.exception() for one in asked if one.done()]
    return any(
        isinstance(failure, RpcFailed)
        and failure.error.code == UNSUPPORTED_VERSION
        and STATELESS_VERSION in list_in(failure.error.data, "supported")
        for failure in failures
    )


def _info(version: str, server: dict[str, JsonValue], said: JsonValue) -> ServerInfo:
    name = one_line(text_in(server, "name"))[:80]
    return ServerInfo(version, name, one_line(text_in(server, "version"))[:40], text_in(said, "instructions"))
