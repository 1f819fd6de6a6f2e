"""Find out that nothing listens on a port of this machine, without an HTTP client."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from llm_orc.net.origin import DEFAULT_PORTS, is_loopback
from llm_orc.net.transport import TransportError, Trouble

_CONNECT_S = 1.0  # a server of this machine takes a connection at once, unless it is overrun


async def refuse_closed_port(url: str) -> None:
    """Raise `TransportError` where `url` leads to a port of this machine on which nothing listens.

    Connects and hangs up. Returns without an answer where the port is another machine's.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return
    if port is None or not is_loopback(host):
        return
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError as e:
        raise TransportError(Trouble.NOT_SENT, f"{e.strerror or e} ({host}:{port})") from None
    except OSError:
        return
    writer.close()
