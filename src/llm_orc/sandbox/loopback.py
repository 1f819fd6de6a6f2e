"""Serve this machine only: which addresses are its own, and whose requests are answered."""

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
    """Refuse what asks for another host: a web page whose name was rebound to this address shows that name."""
    if not is_loopback(_without_port(request.host)):
        message = "the llm-orc sandbox answers requests to loopback addresses only"
        return web.json_response({"error": {"message": message}}, status=403)
    return await handler(request)


def _without_port(host: str) -> str:
    if host.endswith("]"):  # an IPv6 address alone
        return host[1:-1]
    return host.rsplit(":", 1)[0].strip("[]")
