"""`NO_PROXY`: the servers that are reached directly, in the syntax of curl, Go and Python programs."""

from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import SettingsError
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry: a network or a name, for one port or all."""

    port: int | None = None
    network: IPv4Network | IPv6Network | None = None
    name: str = ""  # "*" matches anything; without one it is the name and everything under it

    def covers(self, host: str, addresses: Sequence[Address], port: int | None) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return any(address in self.network for address in addresses)
        if self.name == "<local>":  # Windows syntax
            return not addresses and "." not in host
        if "*" in self.name:
            return fnmatchcase(host, self.name)
        return host == self.name or (not addresses and host.endswith(f".{self.name}"))


class NoProxy:
    """The rules of one `NO_PROXY`. Names are compared as they are written and never looked up.

    Entries are separated by commas or spaces: `*`, names (with everything under them; `.name` and `*.name` mean
    the same), names with `*` elsewhere, addresses, networks (`10.0.0.0/8`, `fd00::/8`), each with an optional
    `:port`, an IPv6 address then in brackets. Raises `SettingsError` for an invalid network.
    """

    def __init__(self, written: str, variable: str = "NO_PROXY") -> None:
        entries = written.replace(",", " ").replace(";", " ").split()
        self._rules = [rule for entry in entries for rule in _rules(entry, variable)]

    def covers(self, host: str, port: int | None) -> bool:
        name = _plain(host)
        addresses = _addresses(name)
        return any(rule.covers(name, addresses, port) for rule in self._rules)


def _rules(entry: str, variable: str) -> Iterator[_Rule]:
    _, separator, rest = entry.partition("://")
    text = _plain(rest.partition("/")[0] if separator else entry)
    if "/" in text:
        try:
            yield _Rule(network=ip_network(text.replace("[", "").replace("]", ""), strict=False))
        except ValueError:
            raise SettingsError(
                f"`{one_line(entry, 80)}` in {variable} is not a valid network",
                hint=f"Write networks in {variable} like `10.0.0.0/8` or `fd00::/8`.",
            ) from None
        return
    host, port = _split_port(text)
    addresses = _addresses(host)
    for address in addresses:
        yield _Rule(port, network=ip_network(address))
    if host and not addresses:
        yield _Rule(port, name=_ascii(host.removeprefix("*.").removeprefix(".")))


def _split_port(text: str) -> tuple[str, int | None]:
    """Split host and port. An IPv6 address without brackets contains colons, and has no port."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (host.endswith("]") or ":" not in host):
        return host, int(port[:6])
    return text, None


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _addresses(host: str) -> list[Address]:
    """Return the address in `host`, in both forms if it is an IPv4 address written as IPv6; empty for a name."""
    with suppress(ValueError):
        address = ip_address(host.strip("[]").partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return [address] if mapped is None else [address, mapped]
    return []


def _ascii(name: str) -> str:
    """Return a name in its ASCII form (RFC 5890)."""
    with suppress(UnicodeError):
        return name if name.isascii() else name.encode("idna").decode()
    return name
