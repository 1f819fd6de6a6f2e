"""Detect that nothing listens on a port of this machine, without an HTTP client."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from llm_orc.net.late_loop import in_thread
from llm_orc.net.origin import DEFAULT_PORTS, is_loopback
from llm_orc.net.transport import TransportError, Trouble

_CONNECT_S = 1.0  # a server on this machine accepts a connection at once unless it is overloaded


async def refuse_closed_port(url: str) -> None:
    """Raise `TransportError` if `url` leads to a port of this machine on which nothing listens.

    Connects and disconnects. Does nothing for a port of another machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return
    if port is None or not is_loopback(host):
        return
    try:
        await in_thread(_connect, host, port)
    except ConnectionRefusedError as e:
        raise TransportError(Trouble.NOT_SENT, f"{e.strerror or e} ({host}:{port})") from None
    except OSError:
        return


def _connect(host: str, port: int) -> None:
    import socket  # noqa: PLC0415 - heavy

    name: Any = host.encode()  # as bytes: no codec for international names is loaded
    socket.create_connection((name, port), timeout=_CONNECT_S).close()
