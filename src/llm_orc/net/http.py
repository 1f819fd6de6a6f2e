"""HTTP on one aiohttp session for the whole process: fast, TLS always checked, nothing followed or remembered."""

from __future__ import annotations

import asyncio
import io
import ssl
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from llm_orc.net.bodies import ERROR_PAGE_BYTES, BodyTooLarge, beginning, whole
from llm_orc.net.proxies import Proxies
from llm_orc.net.text import one_line
from llm_orc.net.tls import authorities, check_bundles, tls_context
from llm_orc.net.transport import Answer, Feed, TransportError, Trouble
from llm_orc.net.watchdog import Watch, Watchdog, WatchedConnector, WatchedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from llm_orc.net.options import NetworkSettings

_LARGE = 2**20  # aiohttp sends larger bodies in pieces only when they come as a file
_PROXY_REFUSES = 407  # RFC 9110 §15.5.8: it is the proxy's own answer, never the server's
_GRACE_S = 0.25  # how long to wait for a stream's end, so that its connection can be used again


@cache
def user_agent() -> str:
    """Who we really are, to every server."""
    return f"LLM-Orchestra/Python {version('llm-orc')}"


class Http:
    """The one `Transport` of a process: enter it once, share it between all models.

    `max_connections` bounds open sockets; a request waits for a free one without any limit of its own.
    Proxies come from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`; loopback never goes through one.
    """

    def __init__(self, settings: NetworkSettings, max_connections: int) -> None:
        self._settings = settings
        self._max_connections = max_connections
        self._proxies = Proxies()
        self._watchdog = Watchdog(settings)
        self._urls: dict[str, URL] = {}
        self._tls: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        if self._settings.ca_file is not None:
            self._tls = tls_context(self._settings)
        self._session = aiohttp.ClientSession(
            connector=WatchedConnector(limit=self._max_connections, limit_per_host=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            # `total` and `connect` would count the wait for a free connection. `sock_read` is behind the watchdog.
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=None,
                sock_connect=self._settings.connect_timeout_s,
                sock_read=self._settings.idle_timeout_s * 4,
            ),
            request_class=WatchedRequest,
            headers={"User-Agent": user_agent()},
            # Off, because aiohttp would ask the environment, and ~/.netrc for credentials, at every request.
            trust_env=False,
            auto_decompress=True,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watchdog.stop()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def check(self, url: str) -> None:
        target = URL(url, encoded=True)
        self._proxies.of(target)
        if target.scheme == "https":
            check_bundles(self._settings)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        feed: Feed | None = None,
        limit_s: float | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        most = self._settings.max_answer_bytes if most_bytes is None else most_bytes
        deadline = asyncio.timeout(limit_s)
        watch = self._watchdog.watch(deadline)
        try:
            async with deadline:
                return await self._exchange(method, url, headers, body, watch, feed=feed, most=most)
        except BodyTooLarge as e:
            raise TransportError(Trouble.TOO_LARGE, str(e)) from None
        except (aiohttp.ClientError, OSError, ValueError) as e:
            if deadline.expired():
                if watch.trouble is not None:
                    raise self._via(watch.trouble, url) from None
                raise TransportError(Trouble.TOO_SLOW, f"no whole answer within {limit_s:g} s") from None
            # aiohttp's errors may hold headers, and so a key: only the reason leaves this room.
            raise self._via(_trouble(e, self._settings), url) from None
        finally:
            self._watchdog.leave(watch)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        watch: Watch,
        *,
        feed: Feed | None,
        most: int,
    ) -> Answer:
        assert self._session is not None, "Http is used inside `async with`"
        target = self._urls.get(url)
        if target is None:
            target = self._urls[url] = URL(url, encoded=True)
        proxy = self._proxies.of(target)
        async with self._session.request(
            method,
            target,
            data=body if body is None or len(body) <= _LARGE else io.BytesIO(body),
            headers=headers,
            allow_redirects=False,
            proxy=None if proxy is None else proxy.url,
            ssl=self._context() if target.scheme == "https" else True,
        ) as response:
            watch.response = response
            watch.move()
            status = response.status
            if status == _PROXY_REFUSES and proxy is not None:
                raise aiohttp.ClientHttpProxyError(response.request_info, (), status=status)
            try:
                if not 200 <= status < 300:
                    page = await beginning(response, min(most, ERROR_PAGE_BYTES), watch.move)
                    return Answer(status, response.headers, page)
                if feed is None or response.content_type == "application/json":
                    return Answer(status, response.headers, await whole(response, most, watch.move))
                broken = await _stream(response.content, feed, most, watch.move)
            except ValueError as e:  # not of the request: that was sent
                raise TransportError(Trouble.GARBAGE, f"its answer can't be read ({type(e).__name__})") from None
            return Answer(status, response.headers, broken=broken)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self._settings)
        return self._tls

    def _via(self, error: TransportError, url: str) -> TransportError:
        """Add who stood in between: a proxy's fault is not the server's."""
        trouble, reason = error.trouble, error.reason
        if trouble is Trouble.INVALID:
            return error
        if trouble is Trouble.CERTIFICATE:
            reason = f"{reason}; trusted are {authorities(self._settings)}"
        proxy = self._proxies.of(self._urls[url])
        if proxy is None:
            return TransportError(trouble, reason)
        if trouble is Trouble.CERTIFICATE:
            return TransportError(trouble, f"{reason}; the connection goes through the proxy {proxy.shown}")
        return TransportError(trouble, f"{reason}, through the proxy {proxy.shown}", proxy.hint)


async def _stream(content: aiohttp.StreamReader, feed: Feed, most: int, move: Callable[[], None]) -> str:
    """Pass the body on as it comes; return why it broke off, or nothing. Raises `BodyTooLarge`."""
    left = most
    try:
        while piece := await content.readany():
            move()
            left -= len(piece)
            if left < 0:
                raise BodyTooLarge(most)
            if feed(piece):
                await _await_end(content)
                return ""
    except aiohttp.SocketTimeoutError:
        raise
    except (aiohttp.ClientError, ConnectionError) as e:
        return _reason(e)
    return ""


async def _await_end(content: aiohttp.StreamReader) -> None:
    """The dialect has all it wants: read on just long enough for the connection to be reusable."""
    if content.at_eof():
        return
    try:
        async with asyncio.timeout(_GRACE_S):
            await content.readany()
    except (TimeoutError, aiohttp.ClientError, ConnectionError):
        return


def _trouble(error: Exception, settings: NetworkSettings) -> TransportError:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TransportError(Trouble.NOT_SENT, f"no connection within {settings.connect_timeout_s:g} s")
    if isinstance(error, aiohttp.SocketTimeoutError):
        return TransportError(Trouble.SILENT, f"nothing came for {settings.idle_timeout_s:g} s")
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return TransportError(Trouble.GARBAGE, "its body can't be unpacked as its `Content-Encoding` says")
    trouble = next((trouble for kinds, trouble in _TROUBLES if isinstance(error, kinds)), Trouble.DROPPED)
    return TransportError(trouble, _reason(error))


# The first row that fits counts.
_TROUBLES: tuple[tuple[tuple[type[Exception], ...], Trouble], ...] = (
    ((TimeoutError,), Trouble.SILENT),
    ((aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError), Trouble.CERTIFICATE),
    ((aiohttp.ClientHttpProxyError, aiohttp.ClientConnectorError), Trouble.NOT_SENT),
    ((aiohttp.ClientResponseError,), Trouble.GARBAGE),
    ((ValueError,), Trouble.INVALID),
)


def _reason(error: Exception) -> str:
    reason = str(error)
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        case aiohttp.ClientConnectorDNSError():
            reason = f"the name `{error.host}` can't be found"
        case aiohttp.ClientConnectorError():
            reason = f"{error.os_error.strerror or error.os_error} ({error.host}:{error.port})"
        case aiohttp.ClientHttpProxyError():
            reason = f"the proxy answered {error.status}"
        case aiohttp.ClientResponseError():
            reason = error.message.partition(":")[0]
        case aiohttp.ServerDisconnectedError():
            reason = "the server closed the connection without an answer"
        case TimeoutError():
            reason = "no answer in time"
        case ValueError():
            reason = "its address or a header can't be sent as it is written"
        case _:
            pass
    return one_line(reason) or type(error).__name__
