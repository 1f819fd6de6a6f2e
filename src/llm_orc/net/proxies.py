"""Which proxy a request goes through: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, read once for each server."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from llm_orc.errors import SettingsError
from llm_orc.net.origin import is_loopback


class Proxies:
    """Remembers the answer for each server, because asking the environment costs more than a whole request."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int | None], str | None] = {}

    def of(self, scheme: str, host: str, port: int | None) -> str | None:
        """Return the proxy's URL, or None for a direct connection. Raises `SettingsError` for a SOCKS proxy."""
        key = (scheme, host, port)
        if key not in self._known:
            self._known[key] = _proxy_of(scheme, host, port)
        return self._known[key]


def _proxy_of(scheme: str, host: str, port: int | None) -> str | None:
    # As Go's net/http does: no proxy on another machine can reach a server on this one.
    if is_loopback(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(f"{host}:{port}" if port else host):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    kind = urlsplit(proxy).scheme
    if kind not in {"http", "https"}:
        raise SettingsError(
            f"The environment names a `{kind}` proxy for `{scheme}://{host}`; only HTTP proxies can be used.",
            hint=f"Set {scheme.upper()}_PROXY to an `http://` proxy, or add `{host}` to NO_PROXY.",
        )
    return proxy
