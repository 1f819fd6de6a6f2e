"""Keep what a model wrote from steering the reader's terminal."""

from __future__ import annotations

import re

# C0 but tab and newline, DEL, and C1: an escape sequence can't begin without one of these (ECMA-48).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SPACE = re.compile(r"\s+")


def printable(text: str) -> str:
    """Show control characters as `\\x1b` instead of sending them; newlines and tabs stay."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the text as one printable line, each run of white space as one space."""
    return printable(_SPACE.sub(" ", text)).strip()
