"""Quote foreign text in our documents so that none of its lines passes for one of ours."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from llm_orc.formats.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_EQUALS = "=\u2550\u2261\ua78a\u1400\u30a0\u2e40\u3013"
# The start of a section of our text, and the closing lines; also in characters that look like `=`.
_LIKE_OURS = re.compile(
    rf"[\s>|]*(?:[{_EQUALS}]{{2,}}\s*[^\s{_EQUALS}]"
    r"|(?:total|run|status|conversation|forked\s+from|sandbox)\s*:)",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_ANY_FENCE = re.compile(r"`{3}|~{3}")
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!(?:https?://|mailto:)[^\s<>]*>)")
_OUR_HEADINGS = frozenset({"summary"})


def quoted_text(text: str) -> Iterator[str]:
    """Yield the lines of an answer for plain text, with `| ` before those that look like ours."""
    for line in printable(text).rstrip("\n").split("\n"):
        yield f"| {line}" if _LIKE_OURS.match(unicodedata.normalize("NFKC", line)) else line


def quoted_markdown(text: str) -> Iterator[str]:
    """Yield the lines of a Markdown quotation.

    A heading, an open fence or a list in the text ends with the quotation (CommonMark 5.1). HTML tags, which
    don't, are shown as written; inside a fence they have no effect.
    """
    fence: str | None = ""  # the open fence; None: it is no longer certain where fences start and end
    for line in printable(text).rstrip("\n").split("\n"):
        shown = line if fence else _TAG.sub("&lt;", line)
        yield f"> {shown}".rstrip()
        if fence:
            is_end = len(line) - len(line.lstrip(" ")) < 4 and line.strip().startswith(fence)
            fence = "" if is_end and not line.strip().strip(fence[0]) else fence
        elif fence is not None and _ANY_FENCE.search(line):
            begun = _FENCE.fullmatch(line)
            fence = (begun[1] or begun[2]) if begun else None


def heading(agent: str) -> str:
    """Return an agent's name as a heading; `Summary` is reserved for our own section."""
    return f"agent {agent}" if agent.casefold() in _OUR_HEADINGS else agent


def one_markdown_line(text: str) -> str:
    """Return the text on one line, without HTML tags."""
    return _TAG.sub("&lt;", " ".join(printable(text).split()))
