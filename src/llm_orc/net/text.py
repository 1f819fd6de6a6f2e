"""Make text of others fit into one line of a message."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 300
_HALVES = re.compile("[\ud800-\udfff]")
# Invisible letters and symbols: the fillers of Hangul, the blank pattern of Braille.
_SHAPELESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def one_line(words: str, longest: int = _LONGEST) -> str:
    """Return `words` on one line, without control or invisible characters, shortened to `longest` characters."""
    # Text far beyond the limit is not processed: a provider may answer with megabytes.
    visible = "".join(" " if c.isspace() else c for c in words[: longest * 4] if _is_shown(c))
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def is_blank(text: str) -> bool:
    """True if there is nothing to see: no text, whitespace, or only invisible characters."""
    beginning = text[:100]
    return not any(map(_has_shape, beginning)) and not any(map(_has_shape, set(text)))


def _has_shape(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _SHAPELESS


def has_halves(text: str) -> bool:
    """True if `text` contains half of a UTF-16 pair, which no file and no terminal accepts."""
    return not text.isascii() and _HALVES.search(text) is not None


def whole_text(text: str) -> str:
    """Return `text` with the halves of UTF-16 pairs joined; one that stands alone becomes U+FFFD."""
    if not has_halves(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_shown(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"
