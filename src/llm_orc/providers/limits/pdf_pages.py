"""How many pages a PDF has at most, without a library for PDF: providers count tokens by page."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_STREAM = re.compile(rb"stream\r?\n")
_DICTIONARY = 1_000  # bytes before a stream in which its kind stands
_MOST_UNPACKED = 50_000_000  # bytes of all streams
_UNKNOWN = 1_000
"""The pages of a file that shows none, such as an encrypted one: more than most providers take."""


@lru_cache(maxsize=64)
def most_pages(data: bytes) -> int:
    """Return how many pages there are in any version of the file that `data` holds."""
    found = len(_PAGE.findall(data))
    left = _MOST_UNPACKED
    view = memoryview(data)
    for stream in _STREAM.finditer(data):
        if b"/ObjStm" not in data[max(0, stream.start() - _DICTIONARY) : stream.start()]:
            continue  # only such streams hold objects
        try:
            unpacked = zlib.decompressobj().decompress(view[stream.end() :], left)
        except zlib.error:
            continue
        found += len(_PAGE.findall(unpacked))
        left -= len(unpacked)
        if left <= 0:
            return max(found, _UNKNOWN)
    return found or _UNKNOWN
