"""A real HTTP server on loopback that answers as it is told to, odd answers included, and remembers the questions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """A body that isn't bytes goes out as JSON."""

    body: object = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def as_bytes(self) -> bytes:
        data = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = {"content-type": self.content_type, "content-length": str(len(data)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"HTTP/1.1 {self.status} Status\r\n{lines}\r\n".encode() + data


class Drop:
    """Take the request, then cut the connection without an answer."""


class Silence:
    """Take the request, and say nothing for ever."""


class Garbage:
    """Answer with what isn't HTTP."""


Answering = Callable[[Asked], Reply]
Step = Reply | Answering | type[Drop] | type[Silence] | type[Garbage]


def refusal(error: str, words: str = "", status: int = 400) -> Reply:
    """RFC 6749 §5.2."""
    return Reply({"error": error, **({"error_description": words} if words else {})}, status)


def tokens(**more: object) -> Reply:
    return Reply({"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, **more})


@dataclass
class Scripted:
    """Each path has its steps; the last one stays for all that follow."""

    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    _steps: dict[str, list[Step]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def on(self, path: str, *steps: Step) -> None:
        self._steps[path] = list(steps)

    def to(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"

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
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(method, target, headers, body)
        self.asked.append(asked)
        steps = self._steps.get(asked.path, [Reply(status=404)])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if step is Drop:
            writer.transport.abort()
            return False
        if step is Silence:
            await reader.read()
            return False
        if step is Garbage:
            writer.write(b"* OK IMAP4rev1 ready\r\n\r\n")
            await writer.drain()
            return False
        reply = step if isinstance(step, Reply) else step(asked)  # type: ignore[call-arg]
        assert isinstance(reply, Reply)
        writer.write(reply.as_bytes())
        await writer.drain()
        return True
