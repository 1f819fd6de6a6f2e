"""What a model needs of HTTP: one request out, one answer back. `http.py` is the one that ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

Feed = Callable[[bytes], bool]
"""Takes one piece of a streamed body as it comes; True when nothing after it matters."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with any status. Header names are found whatever their case.

    `body` is empty where it went to a `Feed`; `broken` then says why the stream ended before its end, if it did.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    broken: str = ""


class Trouble(Enum):
    """How far a request came that got no whole answer."""

    NOT_SENT = "not sent"  # no connection: name not found, refused, connect time-out, proxy
    CERTIFICATE = "certificate"  # not sent either: the server could not prove its name
    DROPPED = "dropped"  # sent, then the connection ended; the provider may have worked on it
    SILENT = "silent"  # sent, then nothing for longer than the idle time-out
    TOO_SLOW = "too slow"  # sent, and the answer did not come to its end in time
    TOO_LARGE = "too large"  # sent, and more came than is taken; the rest was left unread
    GARBAGE = "garbage"  # sent, and what came back isn't HTTP
    INVALID = "invalid"  # not sent: the URL or a header can't be put on the wire


class TransportError(Exception):
    """No whole answer. `reason` is fit for a message: no secret, one line.

    `hint` says what to do where the transport knows better than its caller: it alone knows the way that was taken.
    """

    def __init__(self, trouble: Trouble, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason
        self.hint = hint


class Transport(Protocol):
    """Sends requests: no redirects, no cookies, no retries; whatever status comes is an `Answer`."""

    def check(self, url: str) -> None:
        """Raise `SettingsError` where a proxy or a bundle of CAs that is set lets nothing be sent there."""
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
        """Send and read the whole answer, within `limit_s` and `most_bytes`, or what the settings allow.

        With `feed`, a 2xx body that isn't plain JSON goes there piece by piece. Of another status' body only the
        beginning is kept. Raises `TransportError`, and `SettingsError` as `check` does.
        """
        ...
