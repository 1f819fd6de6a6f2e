"""Take HTML apart into tags and texts, in time that grows with its length alone, whatever it is.

The standard library's parser takes hours for some pages of a megabyte.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,40})")
_VALUES = {
    name: re.compile(rf"[\s\"'/]{name}\s{{0,20}}=\s{{0,20}}(?:\"([^\"]*)|'([^']*)|([^\s\"'>]+))", re.IGNORECASE)
    for name in ("href", "alt")
}
_ENDS = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "textarea", "xmp", "noembed", "title")
}
_LONGEST_VALUE = 2000  # characters by which a `>` in a quoted value may be beyond the first one


@dataclass(frozen=True, slots=True)
class Tag:
    """`name` in lower case; `is_end`: it ends an element; `written` is all of it."""

    name: str
    is_end: bool
    written: str

    def value(self, name: str) -> str:
        """Return the attribute `href` or `alt`; empty: there is none."""
        found = _VALUES[name].search(self.written)
        return unescape(next(filter(None, found.groups()), "")) if found else ""


def parts_of_html(html: str) -> Iterator[Tag | str]:
    """Yield the tags, and the texts between them. Comments are left out, and scripts and styles are empty."""
    at = 0
    while at < len(html):
        start = html.find("<", at)
        if start < 0:
            yield unescape(html[at:])
            return
        if start > at:
            yield unescape(html[at:start])
        named = _NAME.match(html, start)
        if named is None:
            at = _after_other(html, start)
            if at == start + 1:
                yield "<"
            continue
        end = _end_of_tag(html, start)
        tag = Tag(named[1].lower(), html[start + 1] == "/", html[start:end])
        yield tag
        at = end + 1
        if not tag.is_end and (raw := _ENDS.get(tag.name)) is not None:
            closing = raw.search(html, at)
            stop = len(html) if closing is None else closing.start()
            if tag.name in {"textarea", "title"}:
                yield unescape(html[at:stop])
            at = stop


def _after_other(html: str, start: int) -> int:
    """Return where it goes on after a `<` that begins no tag: a comment, a declaration, or just a letter."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4)
        return len(html) if end < 0 else end + 3
    if html.startswith(("<!", "<?", "</"), start):
        end = html.find(">", start)
        return len(html) if end < 0 else end + 1
    return start + 1


def _end_of_tag(html: str, start: int) -> int:
    end = html.find(">", start)
    if end < 0:
        return len(html)
    for quote in ('"', "'"):
        if html.count(quote, start, end) % 2:  # the `>` is in a value
            close = html.find(quote, end, end + _LONGEST_VALUE)
            after = html.find(">", close, close + _LONGEST_VALUE) if close >= 0 else -1
            return end if after < 0 else after
    return end
