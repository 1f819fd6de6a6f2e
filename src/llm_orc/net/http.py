"""HTTP for a whole process. The HTTP client is loaded with the first request, so other commands start fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from llm_orc.net.proxies.choice import Proxies
from llm_orc.net.tls import check_bundles, tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine, Mapping
    from types import TracebackType

    from llm_orc.net.options import NetworkSettings
    from llm_orc.net.session import Session
    from llm_orc.net.transport import Answer, Feed


class Http:
    """The one `Transport` of a process: enter it once, share it between all models.

    `max_connections` limits open sockets; a request waits for a free one without a time limit.
    Proxies come from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`; loopback never goes through one.
    """

    def __init__(self, settings: NetworkSettings, max_connections: int, *, only_public: bool = False) -> None:
        """`only_public`: connect to addresses of the public internet alone, whatever names resolve to."""
        self._settings, self._only_public = settings, only_public
        self._max_connections = max_connections
        self._proxies = Proxies()
        self._tls: ssl.SSLContext | None = None
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        if self._settings.ca_file is not None:
            self._tls = tls_context(self._settings)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def check(self, url: str) -> None:
        """Raise `SettingsError` if a configured proxy or CA bundle can't be used for this URL."""
        self._proxies.of(url)
        if url.startswith("https://"):
            check_bundles(self._settings)

    def is_proxied(self, url: str) -> bool:
        """Return whether a proxy is between us and the server. Raises `SettingsError`, `ValueError`."""
        return self._proxies.of(url) is not None

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        feed: Feed | None = None,
        limit_s: float | None = None,
        most_bytes: int | None = None,
    ) -> Coroutine[Any, Any, Answer]:
        """Send one request: see `Transport.send`."""
        session = self._session or self._open()
        return session.send(method, url, headers, body, feed=feed, limit_s=limit_s, most_bytes=most_bytes)

    def _open(self) -> Session:
        from llm_orc.net.session import Session  # noqa: PLC0415 - heavy: aiohttp

        self._session = Session(
            self._settings, self._max_connections, self._proxies, self._tls, only_public=self._only_public
        )
        return self._session
