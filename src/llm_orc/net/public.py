"""Which addresses are of the public internet, and sockets that connect to no other."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in its last 32 bits
_OURS = tuple(
    ip_network(written)
    for written in (
        *("192.0.0.0/24", "192.88.99.0/24"),  # RFC 6890, RFC 7526; metadata of Oracle's cloud in the first
        "168.63.129.16/32",  # the services of Azure's hosts for their machines
        *("64:ff9b:1::/48", "2001::/23", "5f00::/16", "fec0::/10"),  # RFC 8215, 2928, 9602, 3879
    )
)


class AddressNotPublic(OSError):
    """A name resolves to an address that is not of the public internet."""


def is_public(written: str) -> bool:
    """Return whether an address, such as `93.184.215.14` or `2001:db8::1%eth0`, is of the public internet.

    Not public are this machine, private networks, link-local addresses with the clouds' metadata, multicast and
    reserved ones; and an IPv6 address that leads to such an IPv4 address, in any of the ways to write one.
    """
    try:
        address = ip_address(written.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and (inner := _inner(address)) is not None:
        return all(map(_is_plain_public, inner))
    return _is_plain_public(address)


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Return a socket for an entry of `getaddrinfo`. Raises `AddressNotPublic` unless its address is public."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise AddressNotPublic(errno.EACCES, f"its address {address[0]} is not of the public internet")
    return socket.socket(family, kind, protocol)


def _is_plain_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_unspecified or not address.is_global:
        return False
    return not any(address.version == network.version and address in network for network in _OURS)


def _inner(address: IPv6Address) -> tuple[IPv4Address, ...] | None:
    """Return the IPv4 addresses that an IPv6 address has in it; None: it has none."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or int(address) >> 32 == 0:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return None
