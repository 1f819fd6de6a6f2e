"""Server-sent events (WHATWG HTML §9.2), parsed as the bytes arrive."""

from __future__ import annotations

import re

_BOM = b"\xef\xbb\xbf"
# The usual form of events: two passes in C instead of a loop.
_PLAIN = re.compile(rb"(?:(?:event: [^\n]*\n)?data: [^\n]*\n\n)*")
_PLAIN_DATA = re.compile(rb"data: ([^\n]*)\n\n")


class SseParser:
    """Turns pieces of a stream into the data of complete events.

    Only the data: all that we read repeat the event's name inside it. `last_id` is the id of the last event that
    had one, `retry_ms` the time after which the server wants to be asked again, if it said so.
    An event that the stream's end cuts off is only returned by `rest`.
    """

    __slots__ = ("_has_return", "_rest", "_started", "last_id", "retry_ms")

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_ms: int | None = None
        self._rest = bytearray()  # grows in place, so that one endless event is not copied with each piece
        self._has_return = False  # the last byte was "\r", and the next may be its "\n"
        self._started = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes, in order; those without data are left out."""
        rest = self._rest
        if not self._started:
            piece = bytes(rest) + piece
            rest.clear()
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                rest += piece
                return []
            self._started = True
            piece = piece.removeprefix(_BOM)
        if self._has_return or b"\r" in piece:
            piece = self._with_plain_ends(piece)
        if b"\n\n" not in piece and not (piece.startswith(b"\n") and rest.endswith(b"\n")):
            rest += piece
            return []
        if rest:
            piece = bytes(rest) + piece
            rest.clear()
        end = piece.rfind(b"\n\n") + 2
        whole = piece[:end]
        rest += piece[end:]
        if _PLAIN.fullmatch(whole):
            return _PLAIN_DATA.findall(whole)
        return [data for block in whole[:-2].split(b"\n\n") if (data := self._data(block)) is not None]

    def rest(self) -> bytes:
        """Return the data of an event without an empty line after it; empty if there is none."""
        block = bytes(self._rest).strip(b"\n")
        self._rest.clear()
        return (self._data(block) or b"") if block else b""

    def _with_plain_ends(self, piece: bytes) -> bytes:
        if self._has_return:
            piece = b"\r" + piece
        self._has_return = piece.endswith(b"\r")
        if self._has_return:
            piece = piece[:-1]
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _data(self, block: bytes) -> bytes | None:
        """Return the data of one event, None where it has none."""
        lines: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            match field:
                case b"data":
                    lines.append(value)
                case b"id" if b"\0" not in value:
                    self.last_id = value.decode("utf-8", "replace")
                case b"retry" if value.isdigit():
                    self.retry_ms = int(value[:9])
                case _:
                    pass
        return b"\n".join(lines) if lines else None
