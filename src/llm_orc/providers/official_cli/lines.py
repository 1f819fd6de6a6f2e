"""Read a line of an official CLI's output defensively: known fields in known types, otherwise nothing.

Versions add kinds of lines and fields, and other programs write between them: nothing here raises.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import msgspec

from llm_orc.net.text import whole_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Fields = Mapping[str, object]

_BOM = b"\xef\xbb\xbf"
_NOTHING: Fields = {}


def fields_of(line: bytes) -> Fields | None:
    """Return the fields of the JSON object in `line`; None if there is none."""
    bare = line.removeprefix(_BOM).strip()
    if not bare.startswith(b"{"):
        return None
    try:
        found = msgspec.json.decode(bare)
    except (ValueError, RecursionError):
        found = _decoded_patiently(bare)
    return found if isinstance(found, dict) else None


def text_in(fields: Fields, *path: str) -> str:
    """Return the text at `path`, empty if there is none; a lone surrogate becomes U+FFFD."""
    value = _at(fields, path)
    if not isinstance(value, str):
        return ""
    return whole_text(value)


def object_in(fields: Fields, *path: str) -> Fields:
    value = _at(fields, path)
    return value if isinstance(value, dict) else _NOTHING


def list_in(fields: Fields, *path: str) -> Sequence[object]:
    value = _at(fields, path)
    return value if isinstance(value, list) else ()


def number_in(fields: Fields, *path: str) -> float | None:
    """Return the number at `path`; None if there is none, or it is out of range."""
    value = _at(fields, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_true(fields: Fields, *path: str) -> bool:
    return _at(fields, path) is True


def _at(fields: Fields, path: tuple[str, ...]) -> object:
    value: object = fields
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _decoded_patiently(line: bytes) -> object:
    """Decode JSON despite bytes that are not UTF-8, lone surrogates, or numbers out of range."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
