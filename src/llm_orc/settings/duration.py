"""Durations in YAML files and on the command line: `90`, `30m`, `2h`, `3d`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from llm_orc.storage.field_types import WrongValue, field_type, type_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_FORM = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([a-z]*)\s*", re.ASCII)
_LONGEST_S = 10 * 366 * 86_400.0
_EXAMPLES = "such as `90s`, `30m`, `2h` or `3d`"


def parse_duration(text: str) -> float:
    """Return the duration in seconds; a bare number counts them. Raises `ValueError`."""
    found = _FORM.fullmatch(text)
    if found is None or found[2] not in _UNITS_S:
        raise ValueError(f"`{text}` is no duration")
    return float(found[1]) * _UNITS_S[found[2]]


@field_type(
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": r"^\s*[0-9]{1,9}(\.[0-9]{1,6})?\s*(s|m|min|h|d|w)?\s*$"},
        ]
    },
    f"a duration, {_EXAMPLES}",
)
def duration(value: JsonValue) -> float:
    """A duration, in seconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongValue(f"a duration, {_EXAMPLES}, not {type_of(value)}")
    try:
        seconds = parse_duration(value) if isinstance(value, str) else float(value)
    except ValueError:
        raise WrongValue(f"a duration, {_EXAMPLES}") from None
    if not math.isfinite(seconds) or not 0 < seconds <= _LONGEST_S:
        raise WrongValue("longer than 0 and at most 10 years")
    return seconds


def shown_duration(seconds: float) -> str:
    """Return the duration as it may be written, in the largest unit that it is a whole number of: `30d`."""
    for unit in ("d", "h", "m"):
        number, rest = divmod(seconds, _UNITS_S[unit])
        if number and not rest:
            return f"{number:.0f}{unit}"
    return f"{seconds:g}s"
