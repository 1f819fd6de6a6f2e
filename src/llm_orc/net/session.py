"""One aiohttp session: verifies TLS, ignores redirects and cookies. `http.py` loads it when needed."""

from __future__ import annotations

import asyncio
import io
import ssl
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from llm_orc._version import VERSION
from llm_orc.net.bodies.bounded import ERROR_PAGE_BYTES, BodyTooLarge, beginning, whole
from llm_orc.net.public import public_socket
from llm_orc.net.text import one_line
from llm_orc.net.tls import authorities, tls_context
from llm_orc.net.transport import Answer, Feed, TransportError, Trouble
from llm_orc.net.watchdog import Watch, Watchdog, WatchedConnector, WatchedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_orc.net.options import NetworkSettings
    from llm_orc.net.proxies.choice import Proxies, Proxy

_LARGE = 2**20  # aiohttp sends larger bodies in pieces only when they come as a file
_PROXY_REFUSES = 407  # RFC 9110 §15.5.8: it comes from the proxy, never from the server
_GRACE_S = 0.25  # how long to wait for a stream's end, so that its connection can be used again


_USER_AGENT = f"LLM-Orchestra/Python {VERSION}"


class _Target(NamedTuple):
    """A parsed URL. Parsing costs more than a lookup."""

    url: URL
    proxy: Proxy | None
    proxy_url: URL | None


class Session:
    """Connections to any number of servers, at most `max_connections` at once: a request waits for a free one.

    Create it inside a running event loop, and close it there.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        max_connections: int,
        proxies: Proxies,
        tls: ssl.SSLContext | None,
        *,
        only_public: bool = False,
    ) -> None:
        """`only_public`: see `net.http.Http`."""
        self._settings = settings
        self._proxies = proxies
        self._watchdog = Watchdog(settings)
        self._targets: dict[str, _Target] = {}
        self._tls = tls
        self._session = aiohttp.ClientSession(
            connector=WatchedConnector(
                limit=max_connections,
                limit_per_host=0,
                ttl_dns_cache=60,
                socket_factory=public_socket if only_public else None,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # `total` and `connect` would include the wait for a free connection. `sock_read` backs up the
            # watchdog.
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=None,
                sock_connect=settings.connect_timeout_s,
                sock_read=settings.idle_timeout_s * 4,
            ),
            request_class=WatchedRequest,
            headers={"User-Agent": _USER_AGENT},
            # Off, because aiohttp would read the environment, and credentials from ~/.netrc, with every request.
            trust_env=False,
            auto_decompress=True,
        )

    async def close(self) -> None:
        self._watchdog.stop()
        await self._session.close()

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
            # aiohttp's errors may contain headers, and so a key: only the reason leaves this room.
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
        target = self._targets.get(url)
        if target is None:
            target = self._targets[url] = self._read(url)
        async with self._session.request(
            method,
            target.url,
            data=body if body is None or len(body) <= _LARGE else io.BytesIO(body),
            headers=headers,
            allow_redirects=False,
            proxy=target.proxy_url,
            ssl=self._context() if target.url.scheme == "https" else True,
        ) as response:
            watch.response = response
            watch.move()
            status = response.status
            if status == _PROXY_REFUSES and target.proxy is not None:
                raise aiohttp.ClientHttpProxyError(response.request_info, (), status=status)
            try:
                if not 200 <= status < 300:
                    page = await beginning(response, min(most, ERROR_PAGE_BYTES), watch.move)
                    return Answer(status, response.headers, page)
                if feed is None or response.content_type == "application/json":
                    return Answer(status, response.headers, await whole(response, most, watch.move))
                broken = await _stream(response.content, feed, most, watch.move)
            except ValueError as e:  # not about the request: it was sent
                raise TransportError(Trouble.GARBAGE, f"its answer can't be read ({type(e).__name__})") from None
            return Answer(status, response.headers, broken=broken)

    def _read(self, url: str) -> _Target:
        target, proxy = URL(url, encoded=True), self._proxies.of(url)
        return _Target(target, proxy, None if proxy is None else URL(proxy.url))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self._settings)
        return self._tls

    def _via(self, error: TransportError, url: str) -> TransportError:
        """Add the proxy in between: its failure is not the server's."""
        trouble, reason = error.trouble, error.reason
        if trouble is Trouble.INVALID:
            return error
        if trouble is Trouble.CERTIFICATE:
            reason = f"{reason}; trusted authorities: {authorities(self._settings)}"
        proxy = self._targets[url].proxy
        if proxy is None:
            return TransportError(trouble, reason)
        if trouble is Trouble.CERTIFICATE:
            return TransportError(trouble, f"{reason}; the connection goes through the proxy {proxy.shown}")
        return TransportError(trouble, f"{reason}, through the proxy {proxy.shown}", proxy.hint)


async def _stream(content: aiohttp.StreamReader, feed: Feed, most: int, move: Callable[[], None]) -> str:
    """Pass the body on as it arrives; return why it broke off, or "". Raises `BodyTooLarge`."""
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
    """The dialect needs no more: continue reading just long enough for the connection to be reusable."""
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
        return TransportError(Trouble.SILENT, f"no data for {settings.idle_timeout_s:g} s")
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return TransportError(Trouble.GARBAGE, "its body can't be unpacked as its `Content-Encoding` says")
    trouble = next((trouble for kinds, trouble in _TROUBLES if isinstance(error, kinds)), Trouble.DROPPED)
    return TransportError(trouble, _reason(error))


# The first row that matches counts.
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
            reason = f"the host name `{error.host}` can't be resolved"
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
