"""Server-sent events (WHATWG HTML §9.2), taken apart as the bytes come."""

from __future__ import annotations

import re

_BOM = b"\xef\xbb\xbf"
# How every provider writes its events; two passes of C where others need a loop.
_PLAIN = re.compile(rb"(?:(?:event: [^\n]*\n)?data: [^\n]*\n\n)*")
_MAY_END = re.compile(rb"\n[\r\n]|\r\r")  # two line ends in a row, however they are written
_PLAIN_DATA = re.compile(rb"data: ([^\n]*)\n\n")


class SseParser:
    """Turns pieces of a stream into the data of its whole events.

    Only the data: every dialect repeats the event's name inside it, and none uses ids or retry times.
    An event that the stream's end cuts off is only returned by `rest`.
    """

    __slots__ = ("_rest", "_started")

    def __init__(self) -> None:
        self._rest = bytearray()  # grows by what comes, so that one endless event is not copied with each piece
        self._started = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes, in order; those without data are left out."""
        rest = self._rest
        if rest:
            if self._started and not _MAY_END.search(rest[-2:] + piece):
                rest += piece
                return []
            buffer = bytes(rest + piece)
        else:
            buffer = piece
        if not self._started:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                self._rest = bytearray(buffer)
                return []
            self._started = True
            buffer = buffer.removeprefix(_BOM)
        held = b""
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):  # its "\n" may be the next piece's first byte
                buffer, held = buffer[:-1], b"\r"
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = buffer.rfind(b"\n\n") + 2
        whole = buffer[:end] if end > 1 else b""
        if _PLAIN.fullmatch(whole):
            self._rest = bytearray(buffer[len(whole) :] + held)
            return _PLAIN_DATA.findall(whole)
        blocks = buffer.split(b"\n\n")
        self._rest = bytearray(blocks.pop() + held)
        return [data for block in blocks if (data := _data(block)) is not None]

    def rest(self) -> bytes:
        """Return the data of an event that has no empty line behind it; empty where there is none."""
        block, self._rest = bytes(self._rest).replace(b"\r", b"\n").strip(b"\n"), bytearray()
        return (_data(block) or b"") if block else b""


def _data(block: bytes) -> bytes | None:
    """The data of one event, None where it has none."""
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines) if lines else None
