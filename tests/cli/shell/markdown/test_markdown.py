"""An answer in a terminal: rendered Markdown that is painted while it arrives, and is the same however it arrives."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.cli.shell.markdown.answer import ArrivingAnswer
from llm_orc.cli.shell.markdown.render import Sheet, rendered
from llm_orc.cli.shell.markdown.writer import RenderedAnswer
from llm_orc.cli.shell.output.region import Region
from llm_orc.cli.shell.output.tables import cell_width
from tests.cli.screen import Screen
from tests.cli.screens import assert_screen

if TYPE_CHECKING:
    from collections.abc import Iterator

termios = pytest.importorskip("termios", reason="needs pseudo-terminals, which Windows has none of")

HERE = Path(__file__).parent
VERDICT = (HERE / "verdict.md").read_text(encoding="utf-8")
LONG_CODE = "Before\n\n```python\n" + "".join(f"line_{i} = '{'x' * 300}'\n" for i in range(100)) + "```\n\nAfter\n"


class Written:
    """See `DataWriter`."""

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        self.texts.append(text)

    async def drained(self) -> None:
        return


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A terminal to ask for its size."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


def resize(terminal: TextIO, columns: int, rows: int = 24) -> None:
    termios.tcsetwinsize(terminal.fileno(), (rows, columns))


def streamed(text: str, size: int, terminal: TextIO, columns: int) -> str:
    """Return what stands on the screen after the text has arrived in pieces of that size, each painted."""
    resize(terminal, columns)
    screen, answer = Screen(columns), ArrivingAnswer()
    region = Region(terminal, lambda output: void(screen.feed(output)))
    sheet = Sheet(columns, colour=True)
    for start in range(0, len(text), size):
        answer.feed(text[start : start + size])
        above = answer.settled(sheet)
        lines = answer.growing(sheet, region.size[1])
        assert len(lines) <= region.size[1]
        region.paint(lines, above)
    region.close(answer.finish(text, sheet))
    assert screen.shows_cursor
    return screen.shown


def void(_: object) -> None:
    return


def on_screen(output: str, columns: int) -> str:
    return Screen(columns).feed(output)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_an_answer_is_rendered_for_the_width_of_the_terminal(columns: int) -> None:
    shown = on_screen(rendered(VERDICT, Sheet(columns, colour=True)), columns)

    assert_screen(HERE / "screens" / f"verdict-{columns}.txt", shown)
    assert all(cell_width(line) <= columns for line in shown.splitlines())


@pytest.mark.parametrize(("size", "columns"), [(9, 80), (40, 40), (10_000, 40)])
def test_an_answer_looks_the_same_however_it_arrives(size: int, columns: int, terminal: TextIO) -> None:
    whole = on_screen(rendered(VERDICT, Sheet(columns, colour=True)), columns)

    assert streamed(VERDICT, size, terminal, columns) == whole


def test_code_that_is_longer_and_wider_than_the_terminal_is_whole_at_the_end(terminal: TextIO) -> None:
    whole = on_screen(rendered(LONG_CODE, Sheet(60, colour=True)), 60)

    assert streamed(LONG_CODE, 2000, terminal, 60) == whole
    assert whole.replace("\n", "").count("x" * 300) == 100


def test_a_list_that_is_much_longer_than_the_screen_is_drawn_by_its_end_until_it_is_complete(
    terminal: TextIO,
) -> None:
    items = "".join(f"{i}. item {i} of *many*\n" for i in range(1, 1001))
    answer, sheet = ArrivingAnswer(), Sheet(60, colour=False)
    answer.feed(items)

    lines = answer.growing(sheet, 20)

    assert len(lines) == 20
    assert lines[-1].startswith(" 1000 item 1000 of ")
    assert streamed(items, 5000, terminal, 60) == on_screen(rendered(items, Sheet(60, colour=True)), 60)


def test_code_is_not_broken_by_us_so_that_it_can_be_copied() -> None:
    lines = rendered(LONG_CODE, Sheet(60, colour=False)).splitlines()

    assert sum(line == f"  line_{i} = '{'x' * 300}'" for i, line in enumerate(lines, start=-2)) == 100


@pytest.mark.parametrize(
    "text",
    [
        "a\n1",
        "- a\n\nb\n",
        "a\n-",
        "a\n---\n",
        "#x\n#",
        "| a |\n| - |\n| b",
        "```\n# no heading\n",
        "> a\nb",
        "",
        "\n",
    ],
)
def test_beginnings_that_may_become_something_else(text: str, terminal: TextIO) -> None:
    assert streamed(text, 1, terminal, 40) == on_screen(rendered(text, Sheet(40, colour=True)), 40)


@settings(max_examples=25, deadline=None)
@given(st.text(st.sampled_from("ab#*`-|>1. \n\t[](<&;_~!\\\u4e00\u202e\x1b"), max_size=30), st.integers(1, 9))
def test_nothing_that_a_model_says_steers_the_terminal_or_gets_lost_on_the_way(text: str, size: int) -> None:
    """`Screen` refuses characters that steer it."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        shown = streamed(text, size, terminal, 40)
    os.close(ours)

    assert "\u202e" not in shown
    assert shown == on_screen(rendered(text, Sheet(40, colour=True)), 40)


@pytest.mark.parametrize(
    "hidden", ["&#x202e;", "&#27;[31m", "[a](http://x.y/&#x202e;)", "![&#x202e;](x)", "`\x1b]0;a\x07`"]
)
def test_entities_are_no_way_around(hidden: str) -> None:
    shown = rendered(hidden, Sheet(80, colour=False))

    assert not set(shown) & {"\u202e", "\x07"}
    assert "\x1b[31m" not in shown
    assert "\x1b]" not in shown


def test_an_address_is_never_hidden_behind_the_words_of_a_link() -> None:
    shown = on_screen(rendered("[example.org](https://evil.test/x) <https://a.test>", Sheet(80, colour=True)), 80)

    assert shown == "example.org (https://evil.test/x) https://a.test\n"


def test_html_is_shown_as_it_is_written() -> None:
    assert "<b>bold</b> <thinking>" in rendered("<b>bold</b> <thinking>", Sheet(80, colour=False))


def test_without_colour_there_is_none() -> None:
    plain = rendered(VERDICT, Sheet(80, colour=False))
    coloured = rendered(VERDICT, Sheet(80, colour=True))

    assert "\x1b[3" not in plain.replace("\x1b[3m", "")  # italic is no colour
    assert "\x1b[36m" in coloured


def test_a_terminal_that_becomes_narrower_keeps_what_stands_above(terminal: TextIO) -> None:
    """It breaks the lines that were painted, and they take more rows."""
    resize(terminal, 60)
    written: list[str] = []
    region = Region(terminal, written.append)
    region.paint(["x" * 50, "y" * 20])
    resize(terminal, 20)
    region.paint(["x" * 20])

    assert written[-1].startswith("\x1b[4A")


def test_an_answer_that_differs_from_what_arrived_is_shown_whole() -> None:
    answer, sheet = ArrivingAnswer(), Sheet(40, colour=False)
    answer.feed("A first word")

    assert answer.finish("Another answer", sheet) == "\nAnother answer\n"


async def test_pieces_are_painted_soon_but_not_each_by_itself(
    monkeypatch: pytest.MonkeyPatch, terminal: TextIO
) -> None:
    resize(terminal, 80)
    monkeypatch.setattr(sys, "stdout", terminal)
    data = Written()
    writer = RenderedAnswer(data)

    writer.write("a ")
    first = len(data.texts)
    for _ in range(100):
        writer.write("word ")
    await asyncio.sleep(0)
    burst = len(data.texts) - first
    writer.finish("a " + "word " * 100)

    assert (first, burst) == (1, 0)
    assert on_screen("".join(data.texts), 80).split() == ["a", *["word"] * 100]
    assert not writer.has_begun
