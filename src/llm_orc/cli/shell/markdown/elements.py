"""How the elements of Markdown look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.markdown import CodeBlock, Heading, HorizontalRule, Markdown, MarkdownElement, TableElement
from rich.rule import Rule
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.theme import Theme

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from llm_orc.cli.shell.markdown.blocks import Block

CODE_THEME = "ansi_dark"  # the terminal's own colours: they can be read on a light background too
THEME = Theme(
    {
        "markdown.h1": Style(bold=True, underline=True),
        "markdown.h2": Style(bold=True, color="magenta"),
        "markdown.h3": Style(bold=True),
        "markdown.code": Style(color="cyan"),
        "markdown.link": Style(underline=True),
        "markdown.link_url": Style(color="blue"),
        "markdown.block_quote": Style(dim=True),
        "markdown.table.header": Style(bold=True),
        "markdown.table.border": Style(dim=True),
    }
)


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar = dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "left")


class _CodeBlock(CodeBlock):
    """Code within a list or a quotation."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Syntax(
            str(self.text).rstrip(),
            self.lexer_name,
            theme=CODE_THEME,
            background_color="default",
            word_wrap=True,
        )


class _Rule(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style="markdown.hr")


class _Table(TableElement):
    """Words that are wider than their column are broken, not cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class BlockMarkdown(Markdown):
    """A block that is parsed already."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
        "hr": _Rule,
        "table_open": _Table,
    }
    inlines = {*Markdown.inlines, "link", "link_url"}  # noqa: RUF012 - the base class says so

    def __init__(self, block: Block) -> None:
        super().__init__("", code_theme=CODE_THEME, hyperlinks=False)
        self.parsed = block
