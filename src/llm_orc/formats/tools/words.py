"""Calls of tools in a few words, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.formats.figures import count, seconds
from llm_orc.formats.printable import first_words, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.tools.used import ToolUsed

_LONGEST = 60  # characters of all arguments
_LONGEST_VALUE = 40
_MOST_LISTED = 20


def call_words(used: ToolUsed) -> str:
    """`files.read src/app.py`: the tool, and its arguments in short."""
    return f"{first_words(used.name)} {arguments_words(used.arguments)}".rstrip()


def arguments_words(arguments: dict[str, JsonValue] | None) -> str:
    """`src/app.py` of one text alone, else `path=src/app.py lines=20`."""
    if not arguments:
        return ""
    if len(arguments) == 1 and isinstance(alone := next(iter(arguments.values())), str):
        return first_words(alone, _LONGEST)
    shown = (f"{name}={_value_words(value)}" for name, value in arguments.items())
    return first_words(" ".join(shown), _LONGEST)


def _value_words(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return first_words(text, _LONGEST_VALUE)


def ended_words(used: ToolUsed) -> str:
    """`files.read src/app.py, 0.2 s`, with how it ended if it was not as wanted."""
    parts = [call_words(used)]
    if used.outcome is None:
        parts.append("not ended")
    elif used.outcome != "done":
        parts.append("not known whether it happened" if used.outcome == "unknown" else str(used.outcome))
    if used.duration_s is not None and used.outcome in {"done", "failed"}:
        parts.append(seconds(used.duration_s))
    if used.omitted:
        whole = f", all of it in {one_line(used.spilled)}" if used.spilled else ""
        parts.append(f"{used.omitted:,} characters too long{whole}")
    return ", ".join(parts)


def listed_words(used: Sequence[ToolUsed]) -> Iterator[str]:
    """Yield a line for each call; of many, for the first and the last ones."""
    if len(used) <= _MOST_LISTED:
        yield from map(ended_words, used)
        return
    half = _MOST_LISTED // 2
    yield from map(ended_words, used[:half])
    yield f"… {len(used) - 2 * half:,} more …"
    yield from map(ended_words, used[-half:])


def number_words(used: Sequence[ToolUsed]) -> str:
    """`7 tools called, 1 failed, 2 refused`."""
    words = f"{count(len(used), 'tool')} called"
    for outcome in ("failed", "refused", "unknown"):
        if number := sum(one.outcome == outcome for one in used):
            words += f", {number:,} {outcome}"
    return words
