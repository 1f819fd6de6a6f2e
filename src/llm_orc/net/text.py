"""Other people's words, made fit for one line of ours."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 300
_HALVES = re.compile("[\ud800-\udfff]")
# Letters and symbols without a shape: fillers of Hangul, the blank pattern of Braille.
_SHAPELESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def one_line(words: str, longest: int = _LONGEST) -> str:
    """Return `words` on one line, without control or invisible characters, cut to `longest` characters."""
    # What is far beyond the limit is not even looked at: a provider may answer with megabytes.
    visible = "".join(" " if c.isspace() else c for c in words[: longest * 4] if _is_shown(c))
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def is_blank(text: str) -> bool:
    """True where nobody sees anything: no text, white space, or only characters that have no shape."""
    beginning = text[:100]
    return not any(map(_has_shape, beginning)) and not any(map(_has_shape, set(text)))


def _has_shape(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _SHAPELESS


def has_halves(text: str) -> bool:
    """True where `text` holds half of a UTF-16 pair, which no file and no terminal can take."""
    return not text.isascii() and _HALVES.search(text) is not None


def whole_text(text: str) -> str:
    """Return `text` with the halves of UTF-16 pairs joined; one that stands alone becomes U+FFFD."""
    if not has_halves(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_shown(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"
