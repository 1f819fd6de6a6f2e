"""Inputs that are one a line: what ends a line, and what a line may hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.app.batches.input_lines import split_lines
from llm_orc.app.batches.inputs import Shaping, make_tasks, read_inputs
from llm_orc.errors import InputError

ODD = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"  # what `str.splitlines` takes for the end of a line too


@pytest.mark.parametrize("form", ["lines", "csv", "jsonl", "tsv"])
def test_one_line_is_one_row_whatever_characters_it_holds(form: str) -> None:
    line = f"one{ODD}line"
    texts = {
        "lines": line,
        "csv": f"input\n{line}",
        "tsv": f"input\n{line}",
        "jsonl": json.dumps(line, ensure_ascii=True),
    }
    if form == "jsonl":
        texts["jsonl"] = f'"one{ODD[:3]}line"'

    found = read_inputs("-", texts[form].encode(), form)

    assert [one.error for one in found] == [None]
    assert [one.fields["input"] for one in found] == [f"one{ODD[:3]}line" if form == "jsonl" else line]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("a\rb\r", ["a", "b"]),  # no line feed at all: a file of old
        ("a\rb\nc", ["a\rb", "c"]),
        ("a\n\n \nb", ["a", "b"]),
        ("\ufeffa\n", ["a"]),
    ],
)
def test_a_line_ends_with_a_line_feed(text: str, rows: list[str]) -> None:
    assert [one.fields["input"] for one in read_inputs("-", text.encode(), "lines")] == rows


@given(st.text())
def test_nothing_is_lost_between_lines(text: str) -> None:
    lines = split_lines(text)

    assert "".join(lines) == text
    assert all(line for line in lines)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"input": "a", "input": "b"}', "the key `input` occurs twice in it"),
        ('{"input": "a", "b": {"c": 1, "c": 2}}', "the key `c` occurs twice in it"),
        ('{"input": 1e999}', "is too large"),
        ('{"input": -1e999}', "is too large"),
        ('{"input": ' + "9" * 30 + "}", "is too large"),
        ('{"input": ' + "9" * 5_000 + "}", "is too large"),
        ('{"input": NaN}', "is not a JSON number"),
        ('{"input": ' + "[" * 500 + "]" * 500 + "}", "nested deeper than 100 levels"),
        ("[" * 100_000, "is not JSON"),
        ('{"a":' * 100_000, "is not JSON"),
        ("{} {}", "is not JSON"),
        ("[1]", "neither a JSON object nor a string"),
        ('{"input": "a\\ud800"}', "not text"),
        ('{"input": "a\\u0000"}', "not text"),
    ],
)
def test_a_line_that_can_not_be_used_fails_alone(line: str, why: str) -> None:
    tasks = make_tasks(read_inputs("-", f'{line}\n{{"input": "good"}}\n'.encode(), "jsonl"), Shaping())

    assert [task.task for task in tasks] == ["", "good"]
    assert "line 1" in str(tasks[0].error)
    assert why in str(tasks[0].error)


def test_numbers_are_put_in_as_they_are_meant() -> None:
    tasks = make_tasks(
        read_inputs("-", b'{"n": 12345678901234567, "x": 0.5, "s": "1e999"}', "jsonl"),
        Shaping("{{n}} {{x}} {{s}}"),
    )

    assert [task.task for task in tasks] == ["12345678901234567 0.5 1e999"]


def test_a_line_longer_than_any_model_takes_fails_alone() -> None:
    tasks = make_tasks(read_inputs("-", b"x" * (11 * 2**20) + b"\ny\n", "lines"), Shaping())

    assert [task.error is None for task in tasks] == [False, True]


@given(st.binary(max_size=300), st.sampled_from(["jsonl", "csv", "tsv", "lines", None]))
def test_whatever_comes_in_whatever_form_is_rows_or_an_error_that_says_so(data: bytes, form: str | None) -> None:
    try:
        tasks = make_tasks(read_inputs("-", data, form), Shaping())
    except InputError:
        return

    assert all(bool(task.task) != bool(task.error) for task in tasks)
