"""One line for each request: when, whose, what, how it ended and how long it took. Nothing that was said."""

from __future__ import annotations

import itertools
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from aiohttp import web

from llm_orc.formats.printable import one_line
from llm_orc.server.guard import CLIENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Log = Callable[[str], None]

RUN = web.RequestKey("run", str)
"""The id of the run that answers the request."""

REQUEST_ID = web.RequestKey("request id", str)
"""What the client calls the request (`X-Request-Id`), or the name that it gets here."""

REASON = web.RequestKey("reason", str)
"""Why there is no run, for the owner of the server."""

_NEW_IDS = map(f"req_{uuid.uuid4().hex[:16]}{{:08x}}".format, itertools.count(1))
_GIVEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_LONGEST_PATH = 120  # characters


class _Lines(logging.Handler):
    """Writes what kind of error it was, and neither its message nor its place: both repeat what a client sent."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._log(f"{now} - a request could not be read{f' ({kind.__name__})' if kind else ''}")


def quiet_logger(log: Log) -> logging.Logger:
    """Return a logger for aiohttp, which would write tracebacks and request lines, perhaps with a key in them."""
    logger = logging.Logger("llm-orc serve", logging.ERROR)  # noqa: LOG001 - each server has its own
    logger.addHandler(_Lines(log))
    return logger


def logged(log: Log) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return a middleware that writes the log. A query, which may have a key, is left out."""

    @web.middleware
    async def write(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        given = request.headers.get("X-Request-Id", "")
        request[REQUEST_ID] = given if _GIVEN_ID.fullmatch(given) else next(_NEW_IDS)
        status = "gone"  # the client, before its answer
        try:
            response = await handler(request)
            status = str(response.status)
        finally:
            parts = (
                time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                request.get(CLIENT, "-"),
                request.method,
                one_line(request.path)[:_LONGEST_PATH],
                status,
                f"{time.monotonic() - began:.3f}s",
                request.get(RUN, "-"),
                request[REQUEST_ID],
            )
            reason = one_line(request.get(REASON, ""))
            log(" ".join(parts) + (f" ({reason})" if reason else ""))
        return response

    return write
