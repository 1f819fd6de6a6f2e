"""Draw blocks of Markdown as the lines of a terminal."""

from __future__ import annotations

from functools import cache
from io import StringIO
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from rich.console import Console
from rich.syntax import Syntax

from llm_orc.cli.shell.markdown.blocks import CODE, blocks_of
from llm_orc.cli.shell.markdown.elements import CODE_THEME, THEME, BlockMarkdown
from llm_orc.cli.shell.markdown.safe_tokens import safe
from llm_orc.dataclass import dataclass
from llm_orc.formats.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from markdown_it.token import Token
    from rich.segment import Segment

    from llm_orc.cli.shell.markdown.blocks import Block

_INDENT = "  "
_NARROWEST = 20  # columns; a narrower terminal breaks the lines itself


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn on: so many columns, with or without colour."""

    width: int
    colour: bool

    @property
    def columns(self) -> int:
        return max(self.width, _NARROWEST)


def rendered(text: str, sheet: Sheet) -> str:
    """Return a whole Markdown text as it stands in a terminal; each line is ended."""
    lines = lines_of(blocks_of(printable(text)), sheet)
    return "".join(f"{line}\n" for line in lines)


def lines_of(blocks: Iterable[Block], sheet: Sheet, *, after_another: bool = False) -> Iterator[str]:
    """Yield the lines of the blocks, with an empty one between two.

    Lines of code stay whole: a terminal breaks them itself, and what is copied from it has no breaks.
    """
    for block in blocks:
        if after_another:
            yield ""
        after_another = True
        if block[0].type in CODE:
            yield from _code_lines(block[0], sheet)
        else:
            yield from _drawn(block, sheet)


def last_lines(blocks: Sequence[Block], sheet: Sheet, height: int) -> list[str]:
    """Return the last lines of blocks that still grow, none wider than the sheet.

    Of a long piece of code only the end is drawn, so that this takes the same time however long it becomes.
    """
    lines: list[str] = []
    for block in blocks[-height:]:
        if lines:
            lines.append("")
        if block[0].type in CODE:
            lines += _code_lines(block[0], sheet, last=height)
        else:
            lines += _drawn(block, sheet)
    return lines[-height:] if height > 0 else []


def _drawn(block: Block, sheet: Sheet) -> list[str]:
    console = _console(sheet)
    lines = [_ansi(line, sheet) for line in console.render_lines(BlockMarkdown(safe(block)), pad=False)]
    drawn = [number for number, line in enumerate(lines) if line]
    return lines[drawn[0] : drawn[-1] + 1] if drawn else []


def _code_lines(token: Token, sheet: Sheet, last: int | None = None) -> Iterator[str]:
    code = token.content.rstrip("\n")
    if last is not None:
        code = "\n".join(code.split("\n")[-last:]).expandtabs(4)
    language = token.info.split()[0] if token.info.strip() else "text"
    text = Syntax("", language, theme=CODE_THEME).highlight(code)
    for line in text.split("\n", allow_blank=False):
        if last is not None:
            line.truncate(sheet.columns - len(_INDENT), overflow="ellipsis")
        drawn = _ansi(line.render(_console(sheet)), sheet)
        yield f"{_INDENT}{drawn}" if drawn else ""


def _ansi(segments: Iterable[Segment], sheet: Sheet) -> str:
    """Return the segments with their styles as escape sequences, without spaces at the end of the line."""
    found = [(segment.text.rstrip("\n"), segment.style) for segment in segments]
    while found and not found[-1][0].strip():
        found.pop()
    if not found:
        return ""
    found[-1] = (found[-1][0].rstrip(), found[-1][1])
    parts = []
    for text, style in found:
        shown = style if style is None or sheet.colour else style.without_color
        parts.append(shown.render(text, color_system=ColorSystem.STANDARD) if shown else text)
    return "".join(parts)


@cache
def _console(sheet: Sheet) -> Console:
    """Return a console that is only asked how something is drawn."""
    return Console(
        file=StringIO(),
        width=sheet.columns,
        force_terminal=True,
        color_system="standard",  # the sixteen colours that people choose for their terminal
        theme=THEME,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
