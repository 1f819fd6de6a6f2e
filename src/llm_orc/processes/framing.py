"""Where one message of a program ends and the next begins: after a line, or after a given number of bytes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

_LONGEST_HEADER = 4096  # bytes
_IS_HEADER = re.compile(rb"content-(?:length|type):", re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class Framing(ABC):
    """How a stream is divided into messages."""

    @abstractmethod
    def end_of_first(self, pending: bytearray, searched: int) -> int:
        """Return where the first message of `pending` ends, 0 while it is incomplete.

        `searched`: so many bytes of it were there at the last call, too.
        """

    @abstractmethod
    def body(self, message: bytes) -> bytes:
        """Return the content of a whole message; of anything else, itself."""

    @abstractmethod
    def framed(self, body: bytes) -> bytes:
        """Return a message with this content."""


class Lines(Framing):
    """One message a line."""

    def end_of_first(self, pending: bytearray, searched: int) -> int:
        return pending.find(b"\n", searched) + 1

    def body(self, message: bytes) -> bytes:
        return message

    def framed(self, body: bytes) -> bytes:
        return body + b"\n"


class Headers(Framing):
    """A header with the number of bytes before each message, as in the Language Server Protocol's base protocol.

    A line that stands where a header should is a message of its own, so that a stray warning costs nothing else.
    Source: https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol.
    """

    END: ClassVar[bytes] = b"\r\n\r\n"

    def end_of_first(self, pending: bytearray, searched: int) -> int:
        if not self._may_begin_with_header(pending):
            return pending.find(b"\n", searched) + 1
        start = pending.find(self.END, 0, _LONGEST_HEADER) + len(self.END)
        if start < len(self.END):
            return 0 if len(pending) < _LONGEST_HEADER else pending.find(b"\n") + 1
        length = _LENGTH.search(pending, 0, start)
        if length is None:
            return start
        end = start + int(length[1])
        return end if len(pending) >= end else 0

    def body(self, message: bytes) -> bytes:
        if not _IS_HEADER.match(message):
            return message
        return message[message.find(self.END) + len(self.END) :]

    def framed(self, body: bytes) -> bytes:
        return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    @staticmethod
    def _may_begin_with_header(pending: bytearray) -> bool:
        """Return whether a header begins here, or may once more bytes are there."""
        shown = bytes(pending[: len(b"content-length:")]).lower()
        return any(
            name.startswith(shown) or shown.startswith(name) for name in (b"content-length:", b"content-type:")
        )


LINES = Lines()
HEADERS = Headers()
