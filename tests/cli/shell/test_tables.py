"""Tables fit a terminal, and are whole in a pipe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.cli.shell.output.tables import Column, cell_width, cut, fitted, table, tail
from llm_orc.formats.printable import one_line

COLUMNS = (Column("NAME"), Column("DESCRIPTION", shrinks=True), Column("AGENTS", is_number=True))
ROWS = [("panel", "Three specialists and a chair on one question", "4"), ("日本", "two wide characters", "12")]


def test_a_terminal_gets_a_heading_and_aligned_columns() -> None:
    assert table(COLUMNS, ROWS, 80) == (
        "NAME   DESCRIPTION                                    AGENTS\n"
        "panel  Three specialists and a chair on one question       4\n"
        "日本   two wide characters                                12\n"
    )


def test_a_narrow_terminal_cuts_only_what_may_be_cut() -> None:
    lines = table(COLUMNS, ROWS, 40).splitlines()

    assert lines[1] == "panel  Three specialists and a …       4"
    assert all(cell_width(line) <= 40 for line in lines)


def test_a_pipe_gets_every_cell_whole_between_tabs_and_no_heading() -> None:
    assert table(COLUMNS, ROWS, None).splitlines()[0].split("\t") == list(ROWS[0])


def test_a_tab_or_newline_in_a_cell_does_not_make_another() -> None:
    assert table(COLUMNS, [("a\tb", "c\nd", "\x1b[31m")], None) == "a b\tc d\t\\x1b[31m\n"


@given(st.text(max_size=60), st.integers(1, 80))
def test_cut_and_tail_never_exceed_their_width(text: str, width: int) -> None:
    assert cell_width(cut(text, width)) <= width
    assert cell_width(tail(text, width)) <= width


ALL_GIVE_WAY = (
    Column("ID", brief=lambda text: text[-2:]),
    Column("NAME", shrinks=True),
    Column("STATE"),
    Column("COUNT", is_number=True, leaves=2),
    Column("COST", is_number=True, leaves=1),
)


@pytest.mark.parametrize(
    ("width", "left", "left_out"),
    [
        (46, "2026-0042 NAME STATE COUNT COST", ()),
        (40, "42 NAME STATE COUNT COST", ()),
        (30, "42 NAME STATE COUNT", ("COST",)),
        (13, "42 NAME STATE", ("COUNT", "COST")),
    ],
)
def test_columns_give_way_in_their_order(width: int, left: str, left_out: tuple[str, ...]) -> None:
    found = fitted(ALL_GIVE_WAY, [("2026-0042", "a name of words", "done", "12", "$1.20")], width)
    heading, row = found.text.splitlines()

    assert [row.split()[0], *heading.split()[1:]] == left.split()
    assert " done" in row
    assert found.left_out == left_out


@given(st.lists(st.tuples(*[st.text(st.characters(codec="ascii"), max_size=20)] * 5), max_size=4))
def test_a_column_that_gives_no_way_is_whole_at_any_width(rows: list[tuple[str, ...]]) -> None:
    for width in range(1, 100):
        text = fitted(ALL_GIVE_WAY, rows, width).text
        for row, line in zip(rows, text.splitlines()[1:], strict=True):
            assert " ".join(one_line(row[2]).split()) in " ".join(line.split())
