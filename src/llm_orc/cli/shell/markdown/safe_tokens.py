"""Make parsed Markdown safe to draw: nothing that steers a terminal, no address hidden behind a link's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it.token import Token

from llm_orc.formats.printable import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.cli.shell.markdown.blocks import Block


def safe(block: Block) -> Block:
    """Return the block to draw. An entity such as `&#x202e;` can be any character, so all text is checked."""
    return list(_safe(block))


def _safe(tokens: Iterable[Token]) -> Iterator[Token]:
    href, words = "", ""
    for token in tokens:
        if token.type == "image":
            yield _text(f"[image: {one_line(token.content)}]" if token.content else "[image]")
            yield from _address(one_line(str(token.attrs.get("src", ""))))
        elif token.type == "link_open":
            href, words = one_line(str(token.attrs.get("href", ""))), ""
            yield Token("link_text", "link", 1)
        elif token.type == "link_close":
            yield Token("link_text", "link", -1)
            if href not in (words, f"mailto:{words}"):
                yield from _address(href)
        elif token.children:
            yield token.copy(children=list(_safe(token.children)), content=printable(token.content))
        else:
            words += token.content
            yield token.copy(content=printable(token.content))


def _address(url: str) -> Iterator[Token]:
    yield _text(" (")
    yield Token("url", "link_url", 1)
    yield _text(url)
    yield Token("url", "link_url", -1)
    yield _text(")")


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
