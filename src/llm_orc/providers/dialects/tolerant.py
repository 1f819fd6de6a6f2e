"""Read a provider's answer: strict about its text, tolerant of everything else.

A value of the wrong type is left out if no text of the answer depends on it: a provider may change what we don't
need, or a gateway may break it, and the answer is paid for. This is slow, and only used after strict decoding
failed.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_Wire = TypeVar("_Wire")
_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MOST_LEFT_OUT = 200
_MOST_WORK = 10_000_000  # bytes that are processed again, because each attempt starts over
_LONGEST_INTEGER = 18  # digits; a longer number counts nothing real
# The paths of the answer's text and calls, and of their containers.
_NEEDED = frozenset(
    (
        "choices",
        "message",
        "delta",
        "content",
        "text",
        "parts",
        "candidates",
        "output",
        "response",
        "content_block",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "partial_json",
        "item",
        "functionCall",
    )
)
_NOT_TEXT = frozenset(("error", "usage", "usageMetadata", "promptFeedback"))

UNREADABLE = (ValueError, RecursionError)  # also what msgspec raises
"""What reading malformed bytes can raise."""


def read(decoder: msgspec.json.Decoder[_Wire], data: bytes) -> _Wire:
    """Decode `data`. Raises one of `UNREADABLE` if it is no JSON, or has no text where the text should be."""
    try:
        return decoder.decode(data)
    except UNREADABLE:
        return _convert(_loads(data), decoder.type, max(3, min(_MOST_LEFT_OUT, _MOST_WORK // (len(data) + 1))))


def as_object(data: bytes) -> dict[str, JsonValue]:
    """Return an object as it was written, with the fields that we don't know; empty if `data` is none."""
    try:
        value: JsonValue = msgspec.json.decode(data)
    except UNREADABLE:
        value = _loads(data)
    return value if isinstance(value, dict) else {}


def _loads(data: bytes) -> JsonValue:
    """Read malformed JSON: half a UTF-16 pair, bytes that are not text, huge numbers."""
    value: JsonValue = json.loads(
        data.decode("utf-8-sig", "replace"), parse_int=_integer, parse_float=_float, parse_constant=_nothing
    )
    return value


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _nothing(_name: str) -> None:
    return None


def _convert(value: JsonValue, kind: type[_Wire], most_left_out: int) -> _Wire:
    for _ in range(most_left_out):
        try:
            return msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as e:
            if not _set_right(value, _path_of(e), is_raw="raw" in str(e).partition(", got")[0]):
                raise
    raise msgspec.ValidationError("too much of it has another type than expected")


def _path_of(error: msgspec.ValidationError) -> list[str | int]:
    place = _PLACE.search(str(error))
    if place is None:
        return []
    return [int(index) if index else name for name, index in _STEP.findall(place["path"])]


def _set_right(value: Any, path: list[str | int], *, is_raw: bool) -> bool:
    """Return the value at `path` as written if allowed; otherwise remove it, unless text may be lost."""
    if not path:
        return False
    *above, last = path
    names = [step for step in path if isinstance(step, str)]
    try:
        for step in above:
            value = value[step]
        wrong = value[last]
        if is_raw:
            value[last] = msgspec.Raw(json.dumps(wrong).encode())
            return True
        if wrong is not None and names[-1] in _NEEDED and _NOT_TEXT.isdisjoint(names):
            return False
        del value[last]
    except (LookupError, TypeError):
        return False
    return True
