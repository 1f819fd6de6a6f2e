"""A text that is quoted, and whether a quote stands in it: word for word, whatever the typography."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.jsontypes import JsonValue

_QUOTATION_MARKS = "\"'\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033`\u00b4"
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u2032`\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2026": "...",
        **dict(zip("\ufb00\ufb01\ufb02\ufb03\ufb04", ("ff", "fi", "fl", "ffi", "ffl"), strict=True)),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff"),  # soft hyphen, and what has no width
    }
)
_HYPHEN_AT_END = re.compile(r"(?<=[^\W\d_])-[^\S\n]*\n\s*(?=[^\W\d_])")
_HUNK = re.compile(r"^@@ -\d", re.MULTILINE)
_MARKS = ("+", "-", " ")  # of a diff, at the beginning of a line


class Source:
    """One text that is quoted. Where it is JSON, the texts in it are quoted as well; of a diff, also its lines."""

    def __init__(self, text: str) -> None:
        self._is_diff = _HUNK.search(text) is not None
        self._forms = [form for one in (text, *_texts_in(text)) for form in self._forms_of(one)]

    def _forms_of(self, text: str) -> Iterator[str]:
        yield _plain(text)
        if (joined := _HYPHEN_AT_END.sub("", text)) != text:
            yield _plain(joined)
        if self._is_diff:  # with what was there before and is after it, then each alone
            yield from (_plain(_unmarked(text, without)) for without in ("", "-", "+"))

    def has(self, quote: str) -> bool:
        """Return whether the quote stands in it, within quotation marks of its own or not.

        One without a letter or digit is none.
        """
        if not any(map(str.isalnum, quote)):
            return False
        wanted = {_plain(quote), _plain(quote.strip().strip(_QUOTATION_MARKS))}
        if self._is_diff:
            wanted.add(_plain(_unmarked(quote)))
        return any(one in form for one in wanted for form in self._forms)


def _plain(text: str) -> str:
    """Return the text with one form for what only typography tells apart: spaces, line breaks, quotation marks."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.translate(_SAME).split())


def _unmarked(text: str, without: str = "") -> str:
    """Return the text without the marks of a diff, and without the lines that have the mark `without`."""
    lines = (line for line in text.splitlines() if not without or not line.startswith(without))
    return "\n".join(line[1:] if line.startswith(_MARKS) else line for line in lines)


def _texts_in(text: str) -> Iterator[str]:
    """Yield the texts in a JSON document: in it, their line breaks and quotation marks stand as escapes."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list | dict):
            waiting += one if isinstance(one, list) else one.values()
