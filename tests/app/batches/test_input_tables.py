"""Rows of a table: each is asked, fails by itself, or nothing is spent."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.app.batches.input_tables import table_rows
from llm_orc.app.batches.inputs import Shaping, make_tasks, read_inputs
from llm_orc.errors import InputError
from tests.examples import many

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=8)


def lines_with(line: int, text: str, columns: int = 3, rows: int = 10) -> str:
    """A table whose rows are numbered by their lines, one of which is replaced."""
    table = [",".join("abcdef"[:columns]), *(",".join([str(n)] * columns) for n in range(2, rows + 2))]
    table[line - 1] = text
    return "".join(f"{one}\n" for one in table)


@pytest.mark.parametrize(
    "row",
    ['5,"5,5', '"5,5,5', '5,5,"5', '5,5,"', '"', '5,"5",5"5,"', '"5\n5,5'],
)
def test_a_quote_that_is_never_closed_is_an_error_before_anything_is_spent(row: str) -> None:
    with pytest.raises(InputError, match="line 5") as caught:
        list(table_rows(lines_with(5, row)))

    assert "Nothing was sent" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ('5,"5,5', '9,9",9'),  # closes within the cell where it was opened: the table seems whole
        ('5,"5,5', '9,"9",9'),
        ('5,"5,5', '9,"9,9'),
        ('"5,5,5', '9",9,9'),
        ('5,5,"5', '9,9,9"'),
        ('5,"5,5', '9",9,9'),
    ],
)
@pytest.mark.parametrize("line", [7, 9])
def test_two_stray_quotes_take_no_rows_in(first: str, last: str, line: int) -> None:
    text = lines_with(5, first).splitlines()
    text[line - 1] = last

    with pytest.raises(InputError, match="line"):
        list(table_rows("\n".join(text)))


@pytest.mark.parametrize("row", ['5,"5"x,5', '5,"5" ,5', "5,5", "5,5,5,5"])
def test_a_row_that_is_broken_by_itself_is_one_failed_row(row: str) -> None:
    found = list(table_rows(lines_with(5, row)))

    assert [one.line for one in found] == list(range(2, 12))
    assert [one.line for one in found if one.error] == [5]
    assert "line 5" in str(found[3].error)


@given(
    st.integers(2, 11),
    st.integers(0, 30),
    st.integers(2, 4),
)
@settings(max_examples=many(200))
def test_wherever_one_stray_quote_stands_each_row_is_accounted_for(line: int, at: int, columns: int) -> None:
    text = lines_with(line, ",".join([str(line)] * columns), columns)
    start = len("".join(text.splitlines(keepends=True)[: line - 1]))
    row = text[start:].partition("\n")[0]
    stray = text[: start + min(at, len(row))] + '"' + text[start + min(at, len(row)) :]
    said, found = "", []
    try:
        found = list(table_rows(stray))
    except InputError as refused:
        said = refused.message

    assert f"line {line}" in said or [one.line for one in found] == list(range(2, 12))


def test_cells_of_several_lines_are_read_as_they_are() -> None:
    letter = 'Dear Sir,\n\nthank you, and "goodbye".\nYours,\nA.'
    text = io.StringIO()
    csv.writer(text).writerows([("id", "letter", "land"), ("1", letter, "DE"), ("2", "short", "FR")])

    found = list(table_rows(text.getvalue()))

    assert [one.fields["letter"] for one in found] == [letter, "short"]


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=12))
def test_whatever_is_written_in_one_line_is_read_again(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("a", "b", "c"), *rows])

    assert [tuple(one.fields.values()) for one in table_rows(text.getvalue(), ",")] == rows


def test_a_hundred_thousand_columns_take_no_longer_than_their_cells() -> None:
    names = [f"c{n}" for n in range(100_000)]
    text = "".join(",".join(row) + "\n" for row in (names, names, names))
    began = time.monotonic()

    tasks = make_tasks(list(table_rows(text)), Shaping("{{c7}} and {{c99999}}"))

    assert time.monotonic() - began < 10
    assert [task.task for task in tasks] == ["c7 and c99999"] * 2


def test_two_columns_of_one_name_are_refused_among_very_many() -> None:
    names = [f"c{n}" for n in range(100_000)] + ["c5"]
    with pytest.raises(InputError, match="two columns `c5`"):
        list(table_rows(",".join(names) + "\n"))


def test_columns_without_a_name_keep_what_stands_in_them() -> None:
    found = list(table_rows("a,,\n1,2,\n3,,\n"))

    assert [one.fields for one in found] == [{"a": "1", "column 2": "2"}, {"a": "3"}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_table_is_read_as_its_mark_says(encoding: str) -> None:
    found = read_inputs("-", "näme,x\nÄ,1\n".encode(encoding), "csv")

    assert [one.fields for one in found] == [{"näme": "Ä", "x": "1"}]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_table_in_another_encoding_without_its_mark_is_refused_as_a_whole(encoding: str) -> None:
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_inputs("-", "name,x\nabc,1\n".encode(encoding), "csv")


def test_a_nul_fails_its_row_alone() -> None:
    tasks = make_tasks(read_inputs("-", b"input,x\na\0b,1\nc,2\n", "csv"), Shaping())

    assert [task.error is None for task in tasks] == [False, True]
    assert "line 2" in str(tasks[0].error)
