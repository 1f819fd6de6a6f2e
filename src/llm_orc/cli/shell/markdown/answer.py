"""The text of an answer on its way to a terminal: what can stay there, and what is still painted again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.printable import PrintableStream, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.cli.shell.markdown.blocks import Block, MarkdownBlocks
    from llm_orc.cli.shell.markdown.render import Sheet


class ArrivingAnswer:
    """Pure: takes pieces, returns lines. What draws Markdown is loaded with the first piece."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._blocks: MarkdownBlocks | None = None
        self._printable = PrintableStream()
        self._received: list[str] = []
        self._has_settled = False  # something has been written for good

    @property
    def is_begun(self) -> bool:
        return bool(self._received)

    def feed(self, piece: str) -> None:
        self._received.append(piece)
        self._open().feed(self._printable.feed(piece))

    def settled(self, sheet: Sheet) -> str:
        """Return the lines of the blocks that have become complete, to be written for good."""
        return self._lines(self._open().complete(), sheet)

    def growing(self, sheet: Sheet, height: int) -> list[str]:
        """Return the last lines of what is not complete; at most `height`, none wider than the sheet."""
        from llm_orc.cli.shell.markdown.render import last_lines

        lines = last_lines(self._open().growing(max(height, 1)), sheet, height)
        return ["", *lines][-height:] if lines and self._has_settled and height > 0 else lines

    def finish(self, text: str, sheet: Sheet) -> str:
        """Return the lines that are missing of the whole answer; all of them if it is not what had arrived."""
        received = "".join(self._received)
        if received.strip() and not text.startswith(received.rstrip()):
            self._begin()
            self._has_settled = True
            received = ""
        if not received.strip():
            self._open().feed(printable(text))
        else:
            self._open().feed(self._printable.feed(text[len(received) :]) + self._printable.rest())
        lines = self._lines(self._open().rest(), sheet)
        self._begin()
        return lines

    def drop(self, sheet: Sheet) -> str:
        """Return the lines of what has arrived; another text, or another attempt, comes next."""
        blocks = self._blocks.rest() if self._blocks is not None else []
        lines = self._lines(blocks, sheet)
        self._begin()
        return lines

    def _lines(self, blocks: Iterable[Block], sheet: Sheet) -> str:
        from llm_orc.cli.shell.markdown.render import lines_of

        lines = "".join(f"{line}\n" for line in lines_of(blocks, sheet, after_another=self._has_settled))
        self._has_settled = self._has_settled or bool(lines)
        return lines

    def _open(self) -> MarkdownBlocks:
        if self._blocks is None:
            from llm_orc.cli.shell.markdown.blocks import MarkdownBlocks

            self._blocks = MarkdownBlocks()
        return self._blocks
