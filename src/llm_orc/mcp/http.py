"""A server over HTTP: each request is a POST, whose answer is JSON or a stream of events.

Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports, Streamable HTTP; in the version
2026-07-28 there are no sessions, and headers repeat what a request is about.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llm_orc.errors import CredentialRefused, NotLoggedIn, ToolServerFailed, ToolServerTimedOut
from llm_orc.mcp.connection import RpcFailed, SessionGone
from llm_orc.mcp.param_headers import header_value
from llm_orc.mcp.wire import STATELESS_VERSION, Incoming, RpcError, notification, parse_messages, request
from llm_orc.net.bodies.sse import SseParser
from llm_orc.net.text import one_line
from llm_orc.net.transport import Answer, TransportError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.connection import Listener
    from llm_orc.mcp.wire import Params, RequestId
    from llm_orc.net.transport import Transport

_SESSION = "Mcp-Session-Id"
_VERSION = "MCP-Protocol-Version"
_LAST_EVENT = "Last-Event-ID"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_MOST_RESUMPTIONS = 3
_RESUME_AFTER_S = 1.0  # where the server names no time
_LONGEST_RESUME_S = 30.0
_END_S = 2.0  # to say that the session ends


class Credentials(Protocol):
    """What authorises requests to one server."""

    async def headers(self, refused: str = "") -> Mapping[str, str]:
        """Return the headers; `refused` is the server's challenge after it refused the last ones.

        Raises `AuthError` if there is nothing that it may accept.
        """
        ...

    async def close(self) -> None:
        """End what is kept for it."""
        ...


class NoCredentials:
    """Implements `Credentials` for servers that need none, or get fixed headers."""

    def __init__(self, name: str, fixed: Mapping[str, str]) -> None:
        self._name, self._fixed = name, fixed

    async def headers(self, refused: str = "") -> Mapping[str, str]:
        """See `Credentials`."""
        if refused and self._fixed:
            raise CredentialRefused(
                f"the MCP server `{self._name}` refused the headers that are configured for it",
                hint=f"Correct `mcp_servers.{self._name}.headers`.",
            )
        if refused:
            raise NotLoggedIn(f"the MCP server `{self._name}` needs a sign-in")
        return self._fixed

    async def close(self) -> None:
        """See `Credentials`."""


class HttpConnection:
    """Implements `Connection`."""

    def __init__(
        self, name: str, url: str, transport: Transport, credentials: Credentials, listener: Listener
    ) -> None:
        self._name, self._url, self._transport = name, url, transport
        self._credentials, self._listener = credentials, listener
        self._session = ""
        self._version = ""
        self._replies: set[asyncio.Task[None]] = set()

    def speaks(self, version: str) -> None:
        """See `Connection`."""
        self._version = version

    async def request(
        self, number: RequestId, method: str, params: Params, *, headers: Mapping[str, str], limit_s: float
    ) -> JsonValue:
        """See `Connection`."""
        if method == "initialize":
            self._session = self._version = ""
        own = self._headers_of(method, params, headers)
        stream = _Stream(number, self._take)
        try:
            async with asyncio.timeout(limit_s):
                said = await self._exchange(request(number, method, params), own, stream, method)
        except TimeoutError:
            await self._cancelled(number, method)
            raise ToolServerTimedOut(
                f"the MCP server `{self._name}` did not answer `{method}` within {limit_s:g} s"
            ) from None
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self._cancelled(number, method)))
            raise
        if said.error is not None:
            raise RpcFailed(said.error)
        return None if not isinstance(said.result, dict | list | str | int | float | bool) else said.result

    def _headers_of(self, method: str, params: Params, more: Mapping[str, str]) -> dict[str, str]:
        if more.get(_VERSION, self._version) != STATELESS_VERSION:
            return {}
        named = params.get(_NAMED_BY.get(method, ""))
        name = {"Mcp-Name": header_value(named)} if isinstance(named, str) else {}
        return {_VERSION: STATELESS_VERSION, "Mcp-Method": method, **name, **more}

    async def _exchange(self, body: bytes, headers: Mapping[str, str], stream: _Stream, method: str) -> Incoming:
        answer = await self._send("POST", body, headers, stream)
        if method == "initialize" and (session := answer.headers.get(_SESSION)):
            self._session = session
        if answer.status == 404 and self._session:
            raise SessionGone
        said = stream.answer or self._in_body(answer, stream)
        tries = 0
        while said is None and answer.status < 300 and stream.last_id and tries < _MOST_RESUMPTIONS:
            tries += 1
            wait_s = _RESUME_AFTER_S if stream.retry_s is None else min(stream.retry_s, _LONGEST_RESUME_S)
            await asyncio.sleep(wait_s)
            answer = await self._send("GET", None, {**headers, _LAST_EVENT: stream.last_id}, stream)
            said = stream.answer
        if said is None:
            raise ToolServerFailed(self._no_answer(answer))
        return said

    def _in_body(self, answer: Answer, stream: _Stream) -> Incoming | None:
        """Return the answer in a body of JSON; an error may come with any status."""
        if answer.body:
            with suppress(ValueError):
                for message in parse_messages(answer.body):
                    if message.is_answer and (message.id == stream.number or message.error is not None):
                        return message
        if answer.status == 404:  # an older server, or a gateway before it
            return Incoming(id=stream.number, error=RpcError(-32601, "not found"))
        if answer.status in {400, 405, 406, 415, 501}:
            return Incoming(id=stream.number, error=RpcError(-32600, f"the server answered with {answer.status}"))
        return None

    def _no_answer(self, answer: Answer) -> str:
        what = f"the MCP server `{self._name}` at {self._url}"
        if 300 <= answer.status < 400:
            place = one_line(answer.headers.get("Location", "")) or "elsewhere"
            return f"{what} redirects to {place}, which is not followed"
        if answer.status >= 300:
            words = one_line(answer.body.decode("utf-8", "replace"))[:200]
            return f"{what} answered with status {answer.status}{': ' + words if words else ''}"
        if answer.broken:
            return f"{what} broke off its answer: {answer.broken}"
        return f"{what} ended its answer without a result"

    async def _send(
        self, method: str, body: bytes | None, more: Mapping[str, str], stream: _Stream | None
    ) -> Answer:
        headers = {"Accept": "application/json, text/event-stream", **more}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._session:
            headers[_SESSION] = self._session
        if self._version:
            headers[_VERSION] = self._version
        refused = ""
        while True:
            try:
                answer = await self._transport.send(
                    method,
                    self._url,
                    {**headers, **await self._credentials.headers(refused)},
                    body,
                    feed=None if stream is None else stream.feed,
                )
            except TransportError as e:
                raise self._failed(e) from e
            if answer.status not in {401, 403} or refused:
                break
            refused = answer.headers.get("WWW-Authenticate", "") or str(answer.status)
        if answer.status in {401, 403}:
            raise CredentialRefused(f"the MCP server `{self._name}` refused the access ({answer.status})")
        return answer

    def _failed(self, error: TransportError) -> ToolServerFailed:
        hint = error.hint or (
            "Is it running, and is its address right?" if error.trouble is Trouble.NOT_SENT else None
        )
        return ToolServerFailed(f"the MCP server `{self._name}` at {self._url}: {error.reason}", hint=hint)

    def _take(self, message: Incoming) -> None:
        if (back := self._listener(message)) is not None:
            task = asyncio.create_task(self._post(back))
            self._replies.add(task)
            task.add_done_callback(self._replies.discard)

    async def _post(self, body: bytes) -> None:
        with suppress(ToolServerFailed):
            await self._send("POST", body, {}, None)

    async def _cancelled(self, number: RequestId, method: str) -> None:
        """Where requests stand for themselves, the end of the connection says it."""
        if self._version != STATELESS_VERSION and method not in {"initialize", "server/discover"}:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self._post(notification("notifications/cancelled", {"requestId": number}))

    async def notify(self, method: str, params: Params) -> None:
        """See `Connection`."""
        await self._send("POST", notification(method, params), {}, None)

    async def close(self) -> None:
        """See `Connection`."""
        for reply in self._replies:
            reply.cancel()
        await asyncio.gather(*self._replies, return_exceptions=True)
        if self._session:
            with suppress(Exception):  # it ends in any case
                async with asyncio.timeout(_END_S):
                    await self._send("DELETE", None, {}, None)
            self._session = ""
        await self._credentials.close()


class _Stream:
    """Reads the events of one answer: `answer` is what the request `number` waits for, once it is there."""

    def __init__(self, number: RequestId, listener: Callable[[Incoming], None]) -> None:
        self.number = number
        self.answer: Incoming | None = None
        self._listener = listener
        self._events = SseParser()

    @property
    def last_id(self) -> str:
        """The id of the last event that had one: the stream can be resumed after it."""
        return self._events.last_id

    @property
    def retry_s(self) -> float | None:
        """After what time the server wants to be asked again."""
        return None if self._events.retry_ms is None else self._events.retry_ms / 1000

    def feed(self, piece: bytes) -> bool:
        for data in self._events.feed(piece):
            with suppress(ValueError):
                for message in parse_messages(data) if data else ():
                    if not message.is_answer:
                        self._listener(message)
                    elif message.id == self.number or (message.id is None and message.error is not None):
                        self.answer = message
        return self.answer is not None
