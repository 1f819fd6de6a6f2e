"""Which hosts may be fetched from: as a person has listed them, and never the machine's own network unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_orc.agents.tools.tool import ToolFailed
from llm_orc.dataclass import dataclass
from llm_orc.net.origin import DEFAULT_PORTS, origin_of
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Hosts:
    """`allowed`: only these may be fetched from; None: any. `private`: these may be at a private address.

    Each is `HOST` or `HOST:PORT`; `*.HOST` means every name below HOST.
    """

    allowed: tuple[str, ...] | None = None
    private: tuple[str, ...] = ()

    def may_be_private(self, url: str) -> bool:
        return _is_listed(url, self.private)

    def is_allowed(self, url: str) -> bool:
        return self.allowed is None or _is_listed(url, (*self.allowed, *self.private))

    def refuse(self, url: str) -> None:
        """Raise `ToolFailed` if the address can't be fetched, whatever is there."""
        shown = one_line(url, 200)
        if len(url) > _LONGEST or not url.isprintable() or " " in url:
            raise ToolFailed(f"`{shown}` is not an address")
        try:
            origin_of(url)
        except ValueError as e:
            raise ToolFailed(f"`{shown}` can't be fetched: {e}") from None
        if not self.is_allowed(url):
            raise ToolFailed(f"`{shown}` is not at a host that `web.allowed_hosts` lists")


def _is_listed(url: str, listed: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False
    return any(_fits(host, port, entry.lower()) for entry in listed)


def _fits(host: str, port: int | None, entry: str) -> bool:
    name, _, written = entry.rpartition(":")
    if name and written.isdigit() and (name.endswith("]") or ":" not in name):
        if int(written) != port:
            return False
    else:
        name = entry
    name = name.strip("[]").rstrip(".")
    return host == name or (name.startswith("*.") and host.endswith(name[1:]) and len(host) > len(name) - 1)
