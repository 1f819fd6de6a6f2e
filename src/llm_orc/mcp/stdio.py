"""A server that is a child process: one message a line, on its standard input and output.

Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports, stdio.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.errors import ToolServerFailed, ToolServerTimedOut
from llm_orc.mcp.connection import RpcFailed
from llm_orc.mcp.wire import Incoming, notification, parse_messages, request
from llm_orc.net.text import one_line
from llm_orc.processes.child import Child, TooMuchOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.connection import Listener
    from llm_orc.mcp.wire import Params, RequestId

_MOST_BYTES = 64 * 10**6  # that a server may write between two requests of ours
_MOST_STRAY = 1000  # lines that are no messages


class StdioConnection:
    """Implements `Connection`. The process and all that it has started end with `close`, or with us."""

    def __init__(self, name: str, child: Child, listener: Listener) -> None:
        self._name, self._child, self._listener = name, child, listener
        self._waiting: dict[RequestId, asyncio.Future[Incoming]] = {}
        self._stray = 0
        self._ended: ToolServerFailed | None = None
        self._replies: set[asyncio.Task[None]] = set()
        self._reader = asyncio.create_task(self._read(), name=f"MCP server {name}")

    @classmethod
    async def start(
        cls, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, listener: Listener
    ) -> StdioConnection:
        """Start the server. Raises `ToolServerFailed`."""
        try:
            child = await Child.start(argv, env, cwd, most_bytes=_MOST_BYTES)
        except (OSError, ValueError) as e:
            raise ToolServerFailed(
                f"the MCP server `{name}` can't be started: {getattr(e, 'strerror', None) or e}",
                hint=f"Try its command by hand: `{argv[0]}`.",
            ) from e
        return cls(name, child, listener)

    def speaks(self, version: str) -> None:
        """Nothing changes: each message says all."""

    async def request(
        self, number: RequestId, method: str, params: Params, *, headers: Mapping[str, str], limit_s: float
    ) -> JsonValue:
        """See `Connection`."""
        del headers
        if self._ended is not None:
            raise self._ended
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                await self._child.send(request(number, method, params) + b"\n")
                said = await future
        except TimeoutError:
            await self._cancelled(number, method)
            raise ToolServerTimedOut(
                f"the MCP server `{self._name}` did not answer `{method}` within {limit_s:g} s"
            ) from None
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self._cancelled(number, method)))
            raise
        finally:
            self._waiting.pop(number, None)
        if said.error is not None:
            raise RpcFailed(said.error)
        return None if not isinstance(said.result, dict | list | str | int | float | bool) else said.result

    async def _cancelled(self, number: RequestId, method: str) -> None:
        if method not in {"initialize", "server/discover"}:  # these may not be cancelled
            await self._child.write(notification("notifications/cancelled", {"requestId": number}) + b"\n")

    async def notify(self, method: str, params: Params) -> None:
        """See `Connection`."""
        if self._ended is not None:
            raise self._ended
        await self._child.write(notification(method, params) + b"\n")

    async def close(self) -> None:
        """See `Connection`."""
        self._reader.cancel()
        for reply in self._replies:
            reply.cancel()
        await self._child.stop()
        await asyncio.gather(self._reader, *self._replies, return_exceptions=True)
        self._fail(ToolServerFailed(f"the MCP server `{self._name}` was ended"))

    async def _read(self) -> None:
        try:
            while (line := await self._child.line()) is not None:
                self._take(line)
        except TooMuchOutput:
            self._child.kill()
            self._fail(ToolServerFailed(f"the MCP server `{self._name}` wrote more than it may"))
            return
        code, complaint = await self._child.complaint()
        words = f": {complaint}" if complaint else ""
        self._fail(ToolServerFailed(f"the MCP server `{self._name}` ended (exit code {code}){words}"))

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            messages = parse_messages(line)
        except ValueError:
            self._stray += 1
            if self._stray > _MOST_STRAY:
                self._child.kill()
                words = one_line(line.decode("utf-8", "replace"))[:200]
                self._fail(ToolServerFailed(f"the MCP server `{self._name}` writes what is no message: {words}"))
            return
        for message in messages:
            if message.is_answer and message.id is not None:
                future = self._waiting.get(message.id)
                if future is not None and not future.done():
                    future.set_result(message)
            elif not message.is_answer and (back := self._listener(message)) is not None:
                task = asyncio.create_task(self._child.write(back + b"\n"))
                self._replies.add(task)
                task.add_done_callback(self._replies.discard)

    def _fail(self, error: ToolServerFailed) -> None:
        if self._ended is None:
            self._ended = error
        for future in self._waiting.values():
            if not future.done():
                with suppress(asyncio.InvalidStateError):
                    future.set_exception(self._ended)
