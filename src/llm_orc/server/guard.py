"""Which requests a server answers: those for it, from no other web page, and with a key where one is needed.

A web page that a person visits can send requests to servers on their machine. It says its own origin (`Origin`,
RFC 6454 §7), and with DNS rebinding its own host name (`Host`); both are checked before anything is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.formats.printable import one_line
from llm_orc.net.origin import DEFAULT_PORTS, is_loopback, origin_of
from llm_orc.server.keys import ClientKeys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLIENT = web.RequestKey("client", str)
"""The name of the client's key, for the log."""

_OPEN_PATHS = frozenset({"/health", "/ready"})
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#*@]+")
_CORS_METHODS = "GET, POST, OPTIONS"
_CORS_SHOWN = "X-Request-Id, LLM-Orc-Run, LLM-Orc-Ignored, LLM-Orc-Aside, Retry-After"
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$&'*.^_`|~, -]{0,2000}")  # RFC 9110 §5.1, as a list


@dataclass(frozen=True, slots=True)
class Guard:
    """`only_loopback`: the server listens on this machine alone. `origins` are web pages that may ask, too."""

    only_loopback: bool = True
    keys: ClientKeys = ClientKeys()
    origins: frozenset[str] = frozenset()

    def refusal(self, request: web.Request) -> tuple[int, str] | None:
        """Return the status and the words of a refusal; None: the request may be answered."""
        if self.only_loopback and not is_loopback(_host_of(request)):
            return 403, "this server answers requests to loopback addresses only"
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self.origins and origin != f"{request.scheme}://{request.host}":
            return 403, "this server answers no requests of other web pages; `--allow-origin` allows one"
        if request.path in _OPEN_PATHS or not self.keys:
            return None
        client = self.keys.name_of(request.headers)
        if client is None:
            return 401, "this server needs a key: send one of its `--token-file` as `Authorization: Bearer KEY`"
        request[CLIENT] = client
        return None

    def middleware(
        self, refused: Callable[[int, str], web.Response]
    ) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Return this as a middleware; `refused` writes a refusal."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            allowed = request.headers.get("Origin", "")
            cors: dict[str, str] = {}
            if allowed in self.origins:
                cors = {
                    "Access-Control-Allow-Origin": allowed,
                    "Access-Control-Expose-Headers": _CORS_SHOWN,
                    "Vary": "Origin",
                }
            if cors and request.method == "OPTIONS":
                wanted = request.headers.get("Access-Control-Request-Headers", "")
                more = {
                    "Access-Control-Allow-Methods": _CORS_METHODS,
                    "Access-Control-Allow-Headers": wanted if _HEADER_NAMES.fullmatch(wanted) else "",
                    "Access-Control-Max-Age": "600",
                }
                return web.Response(status=204, headers={**cors, **more})
            refusal = self.refusal(request)
            if refusal is not None:
                response: web.StreamResponse = refused(*refusal)
            else:
                request[CORS] = cors
                response = await handler(request)
            if not response.prepared:
                response.headers.update(cors)
            return response

        return guard


def read_origin(text: str) -> str:
    """Return an origin as browsers write it. Raises `InputError` for what is none, such as a whole address."""
    scheme, _, rest = text.strip().lower().partition("://")
    try:
        origin = origin_of(f"{scheme}://{rest}") if scheme in DEFAULT_PORTS else f"{scheme}://{rest.rstrip('/')}"
    except ValueError:
        origin = ""
    if not _ORIGIN.fullmatch(origin) or rest.rstrip("/").find("/") >= 0:
        near = f" Perhaps `{origin}`." if _ORIGIN.fullmatch(origin) else ""
        raise InputError(
            f"`{one_line(text)}` is no origin of a web page",
            hint=f"One is a scheme and a host, such as `https://chat.example`.{near}",
        )
    return origin


CORS = web.RequestKey("cors", dict[str, str])
"""Headers for responses that are streamed."""


def _host_of(request: web.Request) -> str:
    host = request.host
    return host[1:-1] if host.endswith("]") else host.rsplit(":", 1)[0].strip("[]")
