"""Find placeholders that were meant to be filled in, in values that are used as they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_LONGEST_SHOWN = 40  # characters
# `${NAME}`, `$(command)`, `$NAME`, `%NAME%`, `{{name}}`, `{env:NAME}`: as in shells, templates and other tools.
_PLACEHOLDER = re.compile(
    r"\$\{[^}]*\}|\$\([^)]*\)|\$[A-Z_][A-Z0-9_]*|%[A-Z_][A-Z0-9_]{2,}%|\{\{[^}]*\}\}|\{env:[^}]*\}"
)


def placeholder_in(value: JsonValue) -> str | None:
    """Return the first placeholder anywhere in `value`, shortened for showing; None: there is none."""
    if isinstance(value, str):
        match = _PLACEHOLDER.search(value)
        return match[0][:_LONGEST_SHOWN] if match else None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for item in inner if (found := placeholder_in(item)) is not None), None)
