"""Serve this machine only: recognize its own addresses, and refuse requests for other hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from llm_orc.net.origin import is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@web.middleware
async def only_for_loopback(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse requests for another host: a web page that uses DNS rebinding sends its own host name."""
    if not is_loopback(_without_port(request.host)):
        message = "the llm-orc sandbox answers requests to loopback addresses only"
        return web.json_response({"error": {"message": message}}, status=403)
    return await handler(request)


def _without_port(host: str) -> str:
    if host.endswith("]"):  # an IPv6 address without a port
        return host[1:-1]
    return host.rsplit(":", 1)[0].strip("[]")
