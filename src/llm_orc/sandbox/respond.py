"""Send an answer, whole or streamed, at the configured pace and with the configured fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from llm_orc.dataclass import dataclass
from llm_orc.protocols.chat_request import Rejected
from llm_orc.protocols.dialect import Dialect
from llm_orc.protocols.reply import ServedReply
from llm_orc.sandbox.faults import Cut, Drip, Effect, ErrorEvent, Hang, RefusalSignature
from llm_orc.sandbox.refusals import refused_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.jsontypes import JsonValue

CANNED_HEADER = {"x-llm-orc-sandbox": "canned"}
_DRIP_BYTES = 7  # coprime to the usual sizes, so pieces end inside events and characters


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one answer is sent. `tokens_per_s` None: as fast as possible."""

    dialect: Dialect
    reply: ServedReply
    headers: Mapping[str, str]
    tokens_per_s: float | None
    effect: Effect | None

    async def whole(self, request: web.Request) -> web.StreamResponse:
        body = encoded(self.dialect.whole(self.reply))
        if (error := self._error()) is not None:
            body = encoded(self.dialect.error(error, self.dialect.request_id(self.reply.number)))
        response = web.StreamResponse(headers={**self.headers, "content-type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        match self.effect:
            case Cut() | Hang():
                await response.write(body[: len(body) // 2])
                await self._stop(request)
            case _:
                await self._write(response, body)
        return response

    async def streamed(self, request: web.Request) -> web.StreamResponse:
        headers = {**self.headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for piece in self._pieces():
            if not piece:
                await self._stop(request)
                break
            await self._write(response, piece)
            if self.tokens_per_s:
                await asyncio.sleep(1 / self.tokens_per_s)
        return response

    def _pieces(self) -> Iterator[bytes]:
        """Yield the stream in pieces; an empty piece where it is cut off."""
        most = len(self.reply.tokens)
        if isinstance(self.effect, (Cut, Hang, ErrorEvent, RefusalSignature)):
            most = min(most, self.effect.tokens or 0)
        yield from filter(None, [self.dialect.opening(self.reply)])
        for index in range(most):
            yield self.dialect.piece(self.reply, index)
        calls = self.dialect.calls(self.reply) if most == len(self.reply.tokens) else b""
        match self.effect:
            case Cut() | Hang():
                yield from filter(None, [calls[: len(calls) // 2]])
                yield b""
            case _:
                yield from filter(None, [calls])
                error = self._error()
                yield (
                    self.dialect.closing(self.reply)
                    if error is None
                    else self.dialect.error_event(error, self.reply)
                )

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        if not isinstance(self.effect, Drip):
            await response.write(data)
            return
        for start in range(0, len(data), _DRIP_BYTES):
            await response.write(data[start : start + _DRIP_BYTES])
            await asyncio.sleep(self.effect.pause_s)

    async def _stop(self, request: web.Request) -> None:
        """Send nothing more: close the connection or, for `Hang`, keep it open until someone else closes it."""
        if isinstance(self.effect, Hang):
            await hang()
        if request.transport is not None:
            request.transport.close()

    def _error(self) -> Rejected | None:
        """Return the error that ends the answer, if one does."""
        match self.effect:
            case ErrorEvent():
                return Rejected(self.dialect.overloaded_status, "Overloaded (a fault of the llm-orc sandbox)")
            case RefusalSignature(signature=name):
                return refused_as(name)
            case _:
                return None


async def hang() -> None:
    """Wait until the client disconnects or the sandbox closes: both cancel this task."""
    await asyncio.get_running_loop().create_future()


async def slow_headers(
    request: web.Request, seconds: float, headers: Mapping[str, str], body: bytes
) -> web.Response:
    """Send a complete reply, its headers a few bytes at a time; then close the connection."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}", "connection: close"]
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1")
    step = 1 + len(head) // 50
    pieces = [head[start : start + step] for start in range(0, len(head), step)]
    transport = request.transport
    for piece in pieces:
        if transport is None or transport.is_closing():
            break
        transport.write(piece)
        await asyncio.sleep(seconds / len(pieces))
    if transport is not None:
        transport.write(body)
        transport.close()
    return web.Response()


def rejection(dialect: Dialect, rejected: Rejected, request_id: str) -> web.Response:
    headers = {**CANNED_HEADER, **rejected.headers}
    if rejected.keeps_limit_headers:
        headers |= dialect.headers(request_id, time.time(), exhausted=rejected.status == 429)
    if rejected.retry_after_s is not None:
        headers["retry-after"] = f"{rejected.retry_after_s:g}"
    body = encoded(dialect.error(rejected, request_id)) if rejected.body is None else rejected.body.encode()
    return web.Response(status=rejected.status, body=body, content_type="application/json", headers=headers)


def in_one_piece(dialect: Dialect, reply: ServedReply, stream: bool) -> tuple[bytes, str]:
    if not stream:
        return encoded(dialect.whole(reply)), "application/json"
    pieces = (dialect.piece(reply, index) for index in range(len(reply.tokens)))
    stream_body = (dialect.opening(reply), *pieces, dialect.calls(reply), dialect.closing(reply))
    return b"".join(stream_body), "text/event-stream"


def encoded(value: JsonValue) -> bytes:
    return msgspec.json.encode(value)
