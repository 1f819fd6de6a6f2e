"""Which proxy a request goes through, by `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_orc.dataclass import dataclass
from llm_orc.errors import SettingsError
from llm_orc.net.origin import DEFAULT_PORTS, is_loopback
from llm_orc.net.proxies.no_proxy import NoProxy
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping


_SYSTEM = "the system's settings"


@dataclass(frozen=True, slots=True)
class Proxy:
    """`url` may contain a password; messages show the address and the variable that set it."""

    url: str
    named_by: str
    host: str  # the server that is reached through it

    @property
    def shown(self) -> str:
        scheme, _, rest = self.url.partition("://")
        return f"`{scheme}://{rest.rpartition('@')[2]}` (from {self.named_by})"

    @property
    def hint(self) -> str:
        return f"Correct {self.named_by}, or add `{self.host}` to NO_PROXY."


class Proxies:
    """Remembers the proxy of each server, because reading the environment costs more than a whole request."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._known: dict[tuple[str, str, int | None], Proxy | None] = {}

    def of(self, url: str) -> Proxy | None:
        """Return the proxy to use; None: a direct connection.

        Raises `SettingsError` for a proxy that can't be used, `ValueError` for a `url` that can't be read.
        """
        parts = urlsplit(url)
        key = (parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme))
        if key not in self._known:
            self._known[key] = _proxy_of(*key, self._environ)
        return self._known[key]


def _proxy_of(scheme: str, host: str, port: int | None, environ: Mapping[str, str]) -> Proxy | None:
    # Like Go's net/http: no proxy on another machine can reach a server on this one.
    if is_loopback(host):
        return None
    written, named_by = _written(scheme, environ)
    if not written and sys.platform in {"darwin", "win32"}:
        from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - loads an HTTP client

        if proxy_bypass(f"{host}:{port}" if port else host):
            return None
        written, named_by = getproxies().get(scheme, ""), _SYSTEM
    if not written:
        return None
    no_proxy, variable = _first(environ, "no_proxy")
    if NoProxy(no_proxy, variable).covers(host, port):
        return None
    return Proxy(_checked(written, named_by, host), named_by, host)


def _written(scheme: str, environ: Mapping[str, str]) -> tuple[str, str]:
    for name in (f"{scheme}_proxy", "all_proxy"):
        # A CGI server puts its client's `Proxy:` header into HTTP_PROXY.
        if name == "http_proxy" and "REQUEST_METHOD" in environ and not environ.get(name):
            continue
        written, variable = _first(environ, name)
        if written:
            return written, variable
    return "", ""


def _first(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """If both variables are set, the lower-case one counts, even if it is empty."""
    variable = name if name in environ else name.upper()
    return environ.get(variable, "").strip(), variable


def _checked(written: str, named_by: str, host: str) -> str:
    text = written if "://" in written else f"http://{written}"
    kind = text.partition("://")[0].lower()
    problem = ""
    if kind not in {"http", "https"}:
        problem = f"a `{one_line(kind, 20)}` proxy; only HTTP proxies are supported"
    elif not text.isprintable() or not text.isascii() or " " in text:
        problem = "a proxy with characters that a URL can't contain"
    else:
        try:
            parts = urlsplit(text)
            if parts.hostname:
                port = "" if parts.port is None else parts.port  # reading it checks it
                if port != 0:
                    return f"{kind}://{parts.netloc}"
            problem = "a proxy without a host" if not parts.hostname else "a proxy with an invalid port"
        except ValueError:
            problem = "a proxy whose address can't be parsed"
    raise SettingsError(
        f"{named_by} names {problem}",
        hint=f"Set {named_by} to one like `http://host:8080`, or add `{host}` to NO_PROXY.",
    )
