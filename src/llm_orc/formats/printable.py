"""Keep text of models, project files and servers from controlling the terminal or misleading the reader.

All text for people passes through here. Control characters, characters that change the direction of text and
invisible characters are shown as escapes, such as `\\x1b` or `\\u202e`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from urllib.parse import quote

# Control characters except tab and newline: every escape sequence starts with one of them (ECMA-48).
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
# Invisible characters (Unicode: Default_Ignorable_Code_Point), those that set the direction of text (UAX 9),
# separators that only some programs treat as line ends, interlinear marks, and lone surrogates.
_SHAPELESS = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\ud800-\udfff"
)
# Joiners belong to the spelling of these scripts (Arabic to Myanmar, Khmer, Mongolian), and to emoji.
_JOINED = (
    "\u0600-\u061b\u061d-\u0fff\u1000-\u109f\u1780-\u17b3\u17b6-\u180a\u1810-\u18af\ufb50-\ufdff\ufe70-\ufefc"
)
_EMOJI = "\u203c\u2049\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\xa9\xae\u2122\U0001f000-\U0001faff"
_UNDECIDED = "\r\u200c\u200d\ufe0e\ufe0f"
_SPACE = re.compile(r"\s+")
_HOST = re.compile(
    r"""(?:(?<=//)|(?<=@))[^\s/?#@:'"`\\]+"""  # after a scheme or a user
    r"""|[^\s/?#@:'"`\\()\[\]{},;]*\.[^\s/?#@:'"`\\()\[\]{},;]+"""  # a name with a dot
)


@cache
def _shown() -> re.Pattern[str]:
    """Return what is shown as an escape: compiled for the first text that is not plain ASCII: it takes 2 ms."""
    return re.compile(
        f"[{_CONTROL}{_SHAPELESS}]"
        f"|(?<![{_JOINED}{_EMOJI}\ufe0f])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}{_EMOJI}])"
        f"|(?<![{_EMOJI}])[\ufe0e\ufe0f](?!\u20e3)"
    )


def printable(text: str) -> str:
    """Show invisible and control characters as escapes; newlines and tabs stay."""
    if text.isascii() and text.isprintable():  # the usual case for pieces of a streamed answer
        return text
    return _shown().sub(_as_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the text as one printable line, each run of whitespace as one space."""
    return printable(_SPACE.sub(" ", text)).strip()


def first_words(text: str, longest: int = 72) -> str:
    """Return the beginning of a text as one printable line of at most so many characters."""
    line = one_line(text[: 4 * longest])
    return line if len(line) <= longest and len(text) <= 4 * longest else f"{line[: longest - 1].rstrip()}…"


class PrintableStream:
    """`printable` for a streamed text; what depends on the next character waits for it."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        end = len(text.rstrip(_UNDECIDED))
        end -= end < len(text) and end > 0  # a joiner also depends on what precedes it
        self._held = text[end:]
        return printable(text[:end])

    def rest(self) -> str:
        """Return what was held back; the next piece starts a new text."""
        text, self._held = printable(self._held), ""
        return text


def escaped_in_json(encoded: str) -> str:
    """Escape in a JSON document what `printable` would escape; its strings keep their value."""
    if encoded.isascii() and "\x7f" not in encoded:
        return encoded
    return _shown().sub(_as_json_escape, encoded)


def _as_json_escape(match: re.Match[str]) -> str:
    return "\\u007f" if match[0] == "\x7f" else json.dumps(match[0])[1:-1]  # json leaves this one unescaped


def _as_escape(match: re.Match[str]) -> str:
    """Write it as Python does."""
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unmistakable(text: str) -> str:
    """Return `one_line(text)`, followed by the ASCII form of every host name in another script.

    For everything that a person decides on: with a letter of another script, a different host looks like
    `api.example`.
    """
    line = one_line(text)
    if line.isascii():
        return line
    hosts = dict.fromkeys(found for match in _HOST.finditer(line) if not (found := match[0]).isascii())
    forms = [f"`{_ascii_host(host)}`" for host in hosts]
    return f"{line} (in ASCII: {', '.join(forms)})" if forms else line


def _ascii_host(host: str) -> str:
    """Return the host name in its ASCII form (RFC 3492), label by label."""
    return ".".join(label if label.isascii() else _ascii_label(label) for label in host.split("."))


def _ascii_label(label: str) -> str:
    try:
        return label.encode("idna").decode("ascii")
    except UnicodeError:  # not a valid host name; its bytes still distinguish it
        return quote(label, safe="")
