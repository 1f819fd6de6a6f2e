"""Split Markdown, as it arrives, into blocks: those that are complete, and the last one, which still grows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from typing import Any

    from markdown_it.token import Token

CODE = {"fence", "code_block"}
_WIDE = 400  # characters in a row, at most
_LONG = 2  # times what is drawn
Block = list["Token"]
"""The tokens of one block at the top level of a document: a heading, a paragraph, a whole list, a table."""


class MarkdownBlocks:
    """Takes printable text piece by piece. A block is complete when the next one has begun.

    A definition of a link counts for the blocks after it only, as those before may have been shown already.
    """

    def __init__(self) -> None:
        self._text = ""  # from the start of the block that still grows
        self._env: MutableMapping[str, Any] = {}  # definitions of links

    def feed(self, text: str) -> None:
        self._text += text

    def complete(self) -> list[Block]:
        """Return the blocks that have become complete since the last call, and forget them."""
        ended = self._text.rfind("\n") + 1  # how a line begins says nothing about what it is
        found = blocks_of(self._text[:ended], self._env)
        if len(found) < 2:
            return []
        begun = found[-1][0].map
        if begun is None:
            return []
        self._text = "\n".join(self._text.split("\n")[begun[0] :])
        return found[:-1]

    def growing(self, rows: int) -> list[Block]:
        """Return what is not complete, as it would be if the text ended here.

        Of a paragraph or a list much longer than `rows` of a wide screen, only what its end is by itself, so that
        drawing it takes the same time however long it becomes. Code is cheap to shorten later.
        """
        found = blocks_of(self._text, dict(self._env))
        drawn = _WIDE * rows
        if found and found[-1][0].type not in CODE and len(self._text) > _LONG * drawn:
            end = self._text[-drawn:]
            return blocks_of(end[end.find("\n") + 1 :], dict(self._env))
        return found

    def rest(self) -> list[Block]:
        """Return what is left; the text has ended."""
        text, self._text = self._text, ""
        return blocks_of(text, self._env)


def blocks_of(text: str, env: MutableMapping[str, Any] | None = None) -> list[Block]:
    return list(_split(_parser().parse(text, {} if env is None else env)))


def _split(tokens: list[Token]) -> Iterator[Block]:
    block: Block = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield block
            block = []


@cache
def _parser() -> MarkdownIt:
    """CommonMark with tables. HTML is shown as written: nothing of an answer may be missing on the screen."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
