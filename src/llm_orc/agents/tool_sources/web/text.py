"""The text of a page: HTML reduced to headings, paragraphs, lists, links and code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from llm_orc.agents.tool_sources.web.tags import Tag, parts_of_html
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADINGS = {f"h{n}": "#" * n for n in range(1, 7)}
_LINES_OF = {"tr": 1, "dt": 1, "dd": 1, "br": 1, "li": 1}
_BLOCKS = frozenset(
    {
        *("p", "div", "section", "article", "main", "header", "footer", "aside", "nav", "table", "tr", "ul", "ol"),
        *("dl", "dt", "dd", "blockquote", "figure", "figcaption", "form", "fieldset", "address", "details"),
        *("summary", "hr", "pre", "body", *_HEADINGS),
    }
)
_LEFT_OUT = frozenset({"noscript", "template", "svg", "iframe", "object", "select"})
_SPACES = re.compile(r"[ \t\r\f\v\n]+")
_LINES = re.compile(r"\n{3,}")
_MOST_INDENTED = 8  # lists within each other
_LONGEST = 2_000_000  # characters; links may be longer than what they were written as
_LONGEST_LINK = 2000
_LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class PageText:
    """`is_whole`: the page was read to its end."""

    title: str
    text: str
    is_whole: bool = True


def text_of_html(html: str, url: str) -> PageText:
    """Return the text; links are absolute, and only to `http` and `https`."""
    writer = _Writer(url)
    for part in parts_of_html(html):
        if writer.length > _LONGEST:
            return PageText(writer.title, writer.text, is_whole=False)
        if isinstance(part, str):
            writer.write_text(part)
        else:
            writer.write_tag(part)
    return PageText(writer.title, writer.text)


class _Writer:
    def __init__(self, url: str) -> None:
        self._url = url
        self._written: list[str] = []
        self.length = 0
        self.title = ""
        self._left_out = 0  # elements around that are left out
        self._in_title = False
        self._in_pre = False
        self._lists: list[int] = []  # of each list around: the number of its next item; 0: it has none
        self._link = ""
        self._link_at = 0
        self._openings: dict[str, Callable[[Tag], None]] = {
            "ul": lambda _tag: self._lists.append(0),
            "ol": lambda _tag: self._lists.append(1),
            "li": self._open_item,
            "td": lambda _tag: self._put(" | "),
            "th": lambda _tag: self._put(" | "),
            "br": lambda _tag: self._put("\n"),
            "pre": self._open_pre,
            "img": self._open_image,
            "a": self._open_link,
            **dict.fromkeys(_HEADINGS, self._open_heading),
        }

    @property
    def text(self) -> str:
        lines = (line.rstrip() for line in "".join(self._written).split("\n"))
        return _LINES.sub("\n\n", "\n".join(lines)).strip()

    def write_tag(self, tag: Tag) -> None:
        if tag.name == "title":
            self._in_title = not tag.is_end and not self.title
        elif tag.name in _LEFT_OUT:
            self._left_out = max(0, self._left_out + (-1 if tag.is_end else 1))
        elif not self._left_out:
            if tag.is_end:
                self._close(tag.name)
            if tag.name in _BLOCKS and self._written:
                self._put("\n" * _LINES_OF.get(tag.name, 2))
            if not tag.is_end and (opening := self._openings.get(tag.name)) is not None:
                opening(tag)

    def write_text(self, text: str) -> None:
        if self._in_title:
            self.title = " ".join(text[:_LONGEST_TITLE].split())
        elif self._left_out:
            return
        elif self._in_pre:
            self._put(text)
        else:
            words = _SPACES.sub(" ", text)
            is_start = not self._written or self._written[-1].endswith(("\n", " "))
            self._put(words.lstrip(" ") if is_start else words)

    def _put(self, text: str) -> None:
        if text:
            self._written.append(text)
            self.length += len(text)

    def _open_heading(self, tag: Tag) -> None:
        self._put(f"{_HEADINGS[tag.name]} ")

    def _open_item(self, _tag: Tag) -> None:
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        indent = "  " * min(len(self._lists) - 1, _MOST_INDENTED)
        self._put(f"\n{indent}{f'{number}.' if number else '-'} ")

    def _open_pre(self, _tag: Tag) -> None:
        self._in_pre = True
        self._put("```\n")

    def _open_image(self, tag: Tag) -> None:
        if words := _SPACES.sub(" ", tag.value("alt")).strip():
            self._put(f"[image: {words}]")

    def _open_link(self, tag: Tag) -> None:
        self._link, self._link_at = self._absolute(tag.value("href")), len(self._written)

    def _close(self, name: str) -> None:
        if name == "pre" and self._in_pre:
            self._in_pre = False
            self._put("\n```")
        elif name in {"ul", "ol"} and self._lists:
            self._lists.pop()
        elif name == "a" and self._link:
            words = _SPACES.sub(" ", "".join(self._written[self._link_at :])).strip()
            del self._written[self._link_at :]
            if words:
                self._put(f"[{words}]({self._link})")
            self._link = ""

    def _absolute(self, href: str) -> str:
        try:
            found = urljoin(self._url, href.strip()) if href else ""
        except ValueError:
            return ""
        return found if found.startswith(("http://", "https://")) and len(found) < _LONGEST_LINK else ""
