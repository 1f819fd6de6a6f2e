"""Read the body of an answer up to a limit, unpacked: no server can fill this machine's memory.

aiohttp unpacks only as far as is read, so the unpacked size is counted, however small the compressed one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

ERROR_PAGE_BYTES = 2**18
"""So much of an error's body is kept; the rest adds nothing to the status."""


class BodyTooLarge(Exception):
    """More than `most` bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {in_words(most)} arrived")
        self.most = most


async def whole(response: aiohttp.ClientResponse, most: int, move: Callable[[], None]) -> bytes:
    """Return the whole body; `move` is called for each piece.

    Raises `BodyTooLarge`, before anything is read if the server states its size.
    """
    if (response.content_length or 0) > most:
        raise BodyTooLarge(most)
    body, is_whole = await _up_to(response.content, most, move)
    if not is_whole:
        raise BodyTooLarge(most)
    return body


async def beginning(response: aiohttp.ClientResponse, most: int, move: Callable[[], None]) -> bytes:
    """Return the body's first `most` bytes; the rest is not read, so the connection can't be reused."""
    body, _ = await _up_to(response.content, most, move)
    return body


async def _up_to(content: aiohttp.StreamReader, most: int, move: Callable[[], None]) -> tuple[bytes, bool]:
    first = await content.readany()
    if len(first) <= most and content.at_eof():  # nearly every answer
        return first, True
    body = bytearray(first)
    del first
    while len(body) <= most:
        move()
        piece = await content.readany()
        if not piece:
            return bytes(body), True
        body += piece
    return bytes(body[:most]), False


def in_words(size: int) -> str:
    """Return a number of bytes in readable form."""
    for unit, name in ((10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size // unit} {name}"
    return f"{size} bytes"
