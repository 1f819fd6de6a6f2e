"""Origins of URLs (RFC 6454), and which host names are this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """True for this machine itself: `localhost`, names under it (RFC 6761 §6.3), 127.0.0.0/8 and ::1."""
    name = host.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """Return `scheme://host[:port]` in lower case, without the scheme's own port. Raises `ValueError`."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise ValueError("it needs `http://` or `https://` and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not contain a user name or a password")
    host = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{host}"
        if port in {None, DEFAULT_PORTS[parts.scheme]}
        else f"{parts.scheme}://{host}:{port}"
    )
