"""The HTTP server that all doors share: where it listens, what it checks first, and how it ends.

Loads aiohttp: import it where a server is started.
"""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import field
from typing import TYPE_CHECKING, Protocol, Self

from aiohttp import web

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, StorageError
from llm_orc.formats.printable import one_line
from llm_orc.net.origin import is_loopback
from llm_orc.server.access_log import REQUEST_ID, logged, quiet_logger
from llm_orc.server.guard import Guard
from llm_orc.server.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from llm_orc.server.access_log import Log

_LARGEST_BODY = 32 * 1024 * 1024  # bytes
_BACKLOG = 4096
_HINTS = {
    errno.EADDRINUSE: "Give another `--port`, or 0 for a free one.",
    errno.EACCES: "Ports below 1024 are the administrator's: give another `--port`, or 0 for a free one.",
}
_CLOSING_S = 1.0  # for connections on which nothing is answered any more
_LONGEST_PATH = 200  # characters


class Door(Protocol):
    """One protocol that a server speaks."""

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add its routes."""
        ...


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens, and how it ends. `grace_s`: how long runs may take once it is to stop."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free port
    grace_s: float = 30.0
    most_requests: int = 1000  # at once; more are told to come again
    guard: Guard = field(default_factory=Guard)

    def refuse_open(self) -> None:
        """Raise `InputError` if other machines could reach a server that asks for no key."""
        if not is_loopback(self.host) and not self.guard.keys:
            raise InputError(
                f"`{self.host}` can be reached by other machines, and the server would ask them for no key",
                hint="Give it keys with `--token-file FILE`, or listen on `127.0.0.1`.",
            )


class HttpServer:
    """A context manager that starts the server and stops it. `origin` is where it listens.

    Raises `InputError` for an address that is open to all and, when entered, `StorageError` for a port in use.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        listening: Listening,
        refused: Callable[[int, str], web.Response],
        log: Log = lambda _line: None,
    ) -> None:
        listening.refuse_open()
        self._doors, self._listening, self._refused, self._log = doors, listening, refused, log
        self._runner: web.AppRunner | None = None
        self._is_stopping = False
        self._answering: set[asyncio.Task[object]] = set()
        self.origin = ""

    async def __aenter__(self) -> Self:
        at = self._listening
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=quiet_logger(self._log),
            handler_cancellation=True,
            shutdown_timeout=_CLOSING_S,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, at.host, at.port, backlog=_BACKLOG).start()
        except OSError as e:
            await runner.cleanup()
            number = e.errno or 0
            why = os.strerror(number).lower() if number > 0 else e.strerror or e
            raise StorageError(
                f"can't listen on port {at.port} of `{at.host}`: {why}",
                hint=_HINTS.get(number, "`--host` is an address of this machine, such as `127.0.0.1` or `::1`."),
            ) from e
        host, port = runner.addresses[0][:2]
        self.origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_stopping = True
        runner, self._runner = self._runner, None
        if runner is None:
            return
        try:
            for site in list(runner.sites):
                await site.stop()
            if self._answering:
                await asyncio.wait(self._answering, timeout=self._listening.grace_s)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._end(runner)))

    async def _end(self, runner: web.AppRunner) -> None:
        """Stop the answers that are still under way, and wait until their runs are in the record."""
        left = set(self._answering)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        await runner.cleanup()

    def _application(self) -> web.Application:
        guard = self._listening.guard.middleware(self._refused)
        application = web.Application(
            middlewares=[logged(self._log), guard, self._bounded], client_max_size=_LARGEST_BODY
        )
        application.router.add_get("/health", self._health)
        application.router.add_get("/ready", self._ready)
        for door in self._doors:
            door.add_to(application.router)
        application.on_response_prepare.append(_named)
        return application

    @web.middleware
    async def _bounded(self, request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        if request.path in {"/health", "/ready"}:
            return await handler(request)  # type: ignore[misc,no-any-return]
        if self._is_stopping or len(self._answering) >= self._listening.most_requests:
            why = "the server is stopping" if self._is_stopping else "the server is answering as many as it may"
            response = self._refused(503, f"{why}; ask again soon")
            response.headers["Retry-After"] = "1"
            return response
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            return await handler(request)  # type: ignore[misc,no-any-return]
        except web.HTTPRequestEntityTooLarge:
            return self._refused(413, f"the body of a request may have {_LARGEST_BODY:,} bytes")
        except web.HTTPNotFound:
            return self._refused(404, f"this server has nothing at `{_shown(request)}`")
        except web.HTTPMethodNotAllowed as e:
            methods = ", ".join(sorted(e.allowed_methods))
            response = self._refused(405, f"`{_shown(request)}` takes {methods}")
            response.headers["Allow"] = methods
            return response
        finally:
            self._answering.discard(task)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(body=encode({"status": "ok"}), content_type="application/json")

    async def _ready(self, _request: web.Request) -> web.Response:
        word, status = ("stopping", 503) if self._is_stopping else ("ready", 200)
        return web.Response(body=encode({"status": word}), status=status, content_type="application/json")


def _shown(request: web.Request) -> str:
    return one_line(request.path)[:_LONGEST_PATH]


async def _named(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "llm-orc"
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
