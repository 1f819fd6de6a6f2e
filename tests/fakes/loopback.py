"""A server on loopback that says exactly the bytes it is told to, and remembers what it heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl


class Cut:
    """Drop the connection here, without a goodbye."""


class Silence:
    """Say nothing more, and keep the connection open."""


# An event in a script: go on when it is set.
Script = Sequence[asyncio.Event | bytes | type[Cut] | type[Silence]]


@dataclass(frozen=True, slots=True)
class Heard:
    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer(
    body: object = b"",
    status: int = 200,
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> list[bytes]:
    """One whole answer. A body that isn't bytes goes out as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"content-type": content_type, "content-length": str(len(data)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return [f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + data]


def stream(*pieces: type[Cut | Silence] | bytes, headers: str = "") -> list[type[Cut | Silence] | bytes]:
    """A chunked stream of server-sent events, one chunk for each piece; whole unless it is cut or falls silent."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n{headers}\r\n"
    script: list[type[Cut | Silence] | bytes] = [head.encode()]
    script += [b"%x\r\n%s\r\n" % (len(p), p) if isinstance(p, bytes) else p for p in pieces]
    if not pieces or isinstance(pieces[-1], bytes):
        script.append(b"0\r\n\r\n")
    return script


@dataclass
class Loopback:
    """Each request gets the next script; the last one is for all that follow."""

    heard: list[Heard] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    open_now: int = 0
    none_open: asyncio.Event = field(default_factory=asyncio.Event)
    most_open: int = 0
    ever_opened: int = 0
    _scripts: list[Script] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answers(self, *scripts: Script) -> None:
        self._scripts = list(scripts)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=2**26)
        self.port = self._server.sockets[0].getsockname()[1]
        self.scheme = "https" if tls else "http"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open_now += 1
        self.ever_opened += 1
        self.none_open.clear()
        self.most_open = max(self.most_open, self.open_now)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self.open_now -= 1
            if not self.open_now:
                self.none_open.set()
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await _body(reader, headers)
        self.heard.append(Heard(method, target, headers, body))
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        for step in script:
            if step is Cut:
                writer.transport.abort()
                return False
            if step is Silence:
                await reader.read()
                return False
            if isinstance(step, asyncio.Event):
                await step.wait()
                continue
            assert isinstance(step, bytes)
            writer.write(step)
            await writer.drain()
            await asyncio.sleep(0)
        return b"connection: close" not in script[0] if script and isinstance(script[0], bytes) else True


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return body
    return await reader.readexactly(int(headers.get("content-length", "0")))
