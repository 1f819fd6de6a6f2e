"""The loopback redirect (RFC 8252 §7.3): a listener for one redirect, open only while a sign-in waits."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from llm_orc.auth.oauth import page
from llm_orc.auth.oauth.addresses import LOOPBACK_HOSTS
from llm_orc.auth.oauth.authorize import NotOurs
from llm_orc.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from llm_orc.auth.oauth.page import Page

_LARGEST_HEAD = 16 * 1024  # bytes of request line and headers
_MOST_CONNECTIONS = 32
_TO_ASK_S = 10.0  # for a browser to send its request
_TO_ANSWER_S = 20.0  # how long a browser waits for the result before it is sent to the terminal
_TO_CLOSE_S = 2.0
_TURNS_TO_HAND_OVER = 4

T = TypeVar("T")


class CannotListen(Exception):
    """No port could be opened; `reason` says why. A pasted code still works."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Loopback(Generic[T]):
    """Listens inside `async with`, and waits for the one callback that `accept` accepts.

    `port` 0 lets the system choose one (§7.3). The first of `hosts` that can be bound is used; `name` is its name
    in the redirect URI, for servers that only accept `localhost`. The page is sent when the caller reports the
    result with `tell_worked` or `tell_failed`, or at the latest on exit. Entering raises `CannotListen`.
    """

    def __init__(
        self,
        path: str = "/callback",
        *,
        port: int = 0,
        hosts: Sequence[str] = LOOPBACK_HOSTS,
        name: str | None = None,
        to_ask_s: float = _TO_ASK_S,
        to_answer_s: float = _TO_ANSWER_S,
    ) -> None:
        self._path = path
        self._port = port
        self._hosts = hosts
        self._name = name
        self._to_ask_s = to_ask_s
        self._to_answer_s = to_answer_s
        self._accept: Callable[[str], T] | None = None
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()
        self._asked: set[asyncio.Task[None]] = set()  # connections that wait for an answer, or read it
        self._netloc = ""
        self._is_closing = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[T] = loop.create_future()
        self._ending: asyncio.Future[Page] = loop.create_future()
        reasons: list[str] = []
        for host in self._hosts:
            try:
                self._server = await asyncio.start_server(self._visit, host, self._port, limit=_LARGEST_HEAD)
            except OSError as e:
                reasons.append(_reason(host, self._port, e))
                continue
            port = self._server.sockets[0].getsockname()[1]
            self._netloc = f"{self._name or (f'[{host}]' if ':' in host else host)}:{port}"
            return self
        raise CannotListen("; ".join(reasons))

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None:
            self.tell_failed(exc.message if isinstance(exc, LoginFailed) else "It was stopped in the terminal.")
        self._say(page.received())
        assert self._server is not None
        self._is_closing = True
        try:
            # When its server closes, asyncio loses a connection that it has accepted but not passed on.
            for _ in range(_TURNS_TO_HAND_OVER):
                await asyncio.sleep(0)
            self._server.close()
            # The page is still sent, but a reader that doesn't read it can't delay us.
            if self._asked:
                await asyncio.wait(self._asked, timeout=_TO_CLOSE_S)
        finally:
            self._server.close()
            visits = list(self._visits)
            for visit in visits:
                visit.cancel()
            await asyncio.gather(*visits, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TO_CLOSE_S):
                    await self._server.wait_closed()

    @property
    def redirect_uri(self) -> str:
        return f"http://{self._netloc}{self._path}"

    def expect(self, accept: Callable[[str], T]) -> None:
        """Set what is awaited, before the browser is opened: the redirect may arrive before that call returns.

        `accept` raises `NotOurs` for what should be ignored, and any other `LoginFailed` to end the wait.
        """
        self._accept = accept

    async def callback(self, accept: Callable[[str], T]) -> T:
        """Wait for a request whose query `accept` accepts (see `expect`), and return its result."""
        self.expect(accept)
        await asyncio.wait([self._arrived])
        return self._arrived.result()

    def tell_worked(self) -> None:
        self._say(page.worked())

    def tell_failed(self, words: str) -> None:
        self._say(page.failed(words))

    def _say(self, ending: Page) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self._visits.add(visit)
        try:
            if len(self._visits) <= _MOST_CONNECTIONS and not self._is_closing:
                answer = await self._answer_to(reader, visit)
                await _send(answer, reader, writer)
        # A visitor's behavior, or our stopping, is no error of the sign-in; the task ends here either way.
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._visits.discard(visit)
            self._asked.discard(visit)
            writer.close()

    async def _answer_to(self, reader: asyncio.StreamReader, visit: asyncio.Task[None]) -> Page:
        try:
            async with asyncio.timeout(self._to_ask_s):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return page.elsewhere(431, "Request Header Fields Too Large")
        except TimeoutError:
            return page.elsewhere(408, "Request Timeout")
        self._asked.add(visit)
        return await self._answer(head)

    async def _answer(self, head: bytes) -> Page:
        method, target, host = _read_head(head)
        if not method or host.lower() != self._netloc.lower():
            # Another host name: a web page whose name was made to resolve to this machine (DNS rebinding), or no
            # HTTP.
            return page.elsewhere(400, "Bad Request")
        path, _, query = target.partition("?")
        if path != self._path:
            return page.elsewhere(404, "Not Found")
        if method != "GET":
            return page.elsewhere(405, "Method Not Allowed")
        return await self._callback_page(query)

    async def _callback_page(self, query: str) -> Page:
        if self._arrived.done() or self._accept is None:
            return page.already_here()
        try:
            self._arrived.set_result(self._accept(query))
        except NotOurs as e:
            return page.ignored(e.message)
        except LoginFailed as e:
            self._arrived.set_exception(e)
            self._arrived.exception()  # received, even if a pasted code was faster
            return page.failed(e.message)
        # The browser waits, so that its page can show the result of the exchange.
        await asyncio.wait([self._ending], timeout=self._to_answer_s)
        return self._ending.result() if self._ending.done() else page.received()


async def _send(answer: Page, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer.as_bytes())
    await writer.drain()
    writer.write_eof()
    # Closing with unread bytes would discard the page (RFC 9112 §9.6): read until the browser closes.
    with suppress(TimeoutError):
        async with asyncio.timeout(_TO_CLOSE_S):
            while await reader.read(_LARGEST_HEAD):
                pass


def _read_head(head: bytes) -> tuple[str, str, str]:
    """Return method, target and host; an empty method if this is no HTTP/1 request, or names two hosts."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    hosts = [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.lower() == "host"]
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(hosts) != 1:
        return "", "", ""
    return words[0], words[1], hosts[0]


def _reason(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}" if port else host
    words = "the port is in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
    return f"{where}: {words}"
