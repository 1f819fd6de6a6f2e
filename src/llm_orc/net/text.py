"""Other people's words, made fit for one line of ours."""

from __future__ import annotations

import unicodedata

_LONGEST = 300


def one_line(words: str, longest: int = _LONGEST) -> str:
    """Return `words` on one line, without control or invisible characters, cut to `longest` characters."""
    # What is far beyond the limit is not even looked at: a provider may answer with megabytes.
    visible = "".join(" " if c.isspace() else c for c in words[: longest * 4] if _is_shown(c))
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _is_shown(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"
