"""What a model needs from HTTP: one request out, one answer back. `http.py` implements it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Protocol

from llm_orc.dataclass import dataclass

Feed = Callable[[bytes], bool]
"""Takes one piece of a streamed body as it arrives; returns True if nothing after it matters."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with any status. Header names are case-insensitive.

    `body` is empty if it went to a `Feed`; `broken` then says why the stream broke off, if it did.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    broken: str = ""


class Trouble(Enum):
    """How far a request without a complete answer got."""

    NOT_SENT = "not sent"  # no connection: name not resolved, refused, connect timeout, proxy
    CERTIFICATE = "certificate"  # not sent either: the server's certificate was not accepted
    DROPPED = "dropped"  # sent, then the connection ended; the provider may have worked on it
    SILENT = "silent"  # sent, then no data for longer than the idle timeout
    TOO_SLOW = "too slow"  # sent, and the answer did not end in time
    TOO_LARGE = "too large"  # sent, and the answer exceeded the limit; the rest was not read
    GARBAGE = "garbage"  # sent, and what came back is not HTTP
    INVALID = "invalid"  # not sent: the URL or a header can't be put on the wire


class TransportError(Exception):
    """No complete answer. `reason` can be shown: no secret, one line.

    `hint` says what to do if the transport knows better than its caller: only it knows the proxy that was used.
    """

    def __init__(self, trouble: Trouble, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason
        self.hint = hint


class Transport(Protocol):
    """Sends requests: no redirects, no cookies, no retries; any status is an `Answer`."""

    def check(self, url: str) -> None:
        """Raise `SettingsError` if a configured proxy or CA bundle can't be used for this URL."""
        ...

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        feed: Feed | None = None,
        limit_s: float | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send and read the whole answer, within `limit_s` and `most_bytes`, or the limits of the settings.

        With `feed`, a 2xx body that isn't plain JSON goes there piece by piece. Of the body of any other
        status only the beginning is kept. Raises `TransportError`, and `SettingsError` as `check` does.
        """
        ...
