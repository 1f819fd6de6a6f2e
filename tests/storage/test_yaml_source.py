"""The YAML reader: plain data, places, and a problem instead of an exception."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.storage.yaml_source import MAX_BYTES, Position, read_yaml_file, read_yaml_text

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.yaml_source import Located

# Without control characters, noncharacters and the line ends of YAML 1.1 alone: a writer must escape those.
_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufffe\uffff"))
_NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_DATA = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda d: st.lists(d, max_size=4) | st.dictionaries(_TEXT, d, max_size=4),
)


def only_problem(document: Located) -> tuple[int, int, str]:
    assert len(document.problems) == 1, document.problems
    problem = document.problems[0]
    return problem.line, problem.column, problem.message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("2026-01-02", "2026-01-02"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!float 1", 1.0),
        ("<<", "<<"),
    ],
)
def test_scalars_mean_what_the_core_schema_says(written: str, meant: JsonValue) -> None:
    document = read_yaml_text(f"key: {written}")

    assert document.data == {"key": meant}
    assert type(document.data["key"]) is type(meant)


def test_keys_are_text_even_where_they_look_like_something_else() -> None:
    assert read_yaml_text("1: a\ntrue: b\non: c\n~: d").data == {"1": "a", "true": "b", "on": "c", "~": "d"}


@given(_DATA)
def test_any_json_is_read_as_it_is(data: JsonValue) -> None:
    document = read_yaml_text(json.dumps(data, ensure_ascii=False))

    assert document.data == data
    assert document.problems == ()


class _Writer(yaml.SafeDumper):
    """Quotes all that begins like a number: YAML 1.1, by which PyYAML decides, has fewer of them than 1.2."""


def _written(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    like_a_number = text[:1] in "+-.0123456789"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style='"' if like_a_number else None)


_Writer.add_representer(str, _written)


@given(_DATA)
def test_what_another_writer_dumps_is_read_back(data: JsonValue) -> None:
    document = read_yaml_text(yaml.dump(data, Dumper=_Writer, allow_unicode=True))

    assert document.data == data


@given(st.text() | st.text(alphabet="ab:-?[]{}&*!|>'\"#%@`,\n \t<~0.") | st.binary())
def test_any_text_gives_data_or_problems_and_raises_nothing(source: str | bytes) -> None:
    document = read_yaml_text(source)

    assert all(p.message and p.line >= 0 for p in document.problems)
    json.dumps(document.data).encode()


def test_every_value_and_key_knows_its_place() -> None:
    document = read_yaml_text("name: x\nagents:\n  - name: é\n    depends_on: [a, b]\n")

    assert document.key_at(("agents",)) == Position(2, 1)
    assert document.value_at(("agents",)) == Position(3, 3)
    assert document.value_at(("agents", 0, "name")) == Position(3, 11)
    assert document.key_at(("agents", 0, "depends_on")) == Position(4, 5)
    assert document.value_at(("agents", 0, "depends_on", 1)) == Position(4, 21)


def test_a_path_that_does_not_exist_stands_where_its_parent_does() -> None:
    document = read_yaml_text("agents:\n  - name: a\n")

    assert document.value_at(("agents", 0, "model", "deep")) == document.value_at(("agents", 0))


def test_the_first_of_two_equal_keys_counts_and_the_second_is_a_problem() -> None:
    document = read_yaml_text("a: 1\nb: 2\na: {c: 3}\n")

    assert document.data == {"a": 1, "b": 2}
    assert only_problem(document) == (3, 1, "`a` is given twice, first on line 1")


def test_merge_keys_add_what_is_not_given() -> None:
    document = read_yaml_text("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nmany: {<<: [{z: 0}, *b]}\n")

    assert document.data == {"base": {"x": 1, "y": 2}, "use": {"y": 3, "x": 1}, "many": {"z": 0, "x": 1, "y": 2}}
    assert document.value_at(("use", "x")) == Position(1, 14)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("a: !!python/object/apply:os.system [ls]", "`!!python/object/apply:os.system` is not supported"),
        ("a: !include other.yaml", "`!include` is not supported"),
        ("a: !!timestamp 2026-01-01", "`!!timestamp` is not supported"),
        ("a: !!int x", "not what its tag"),
        ("a: *missing", "has no `&` before it"),
        ("a: &x [*x]", "contains it"),
        ("a: {<<: 3}", "needs a mapping"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: 99999999999999999999999", "64 bits"),
        ("---\na: 1\n---\nb: 2\n", "second YAML document"),
        ("a: [", "not valid YAML"),
        ("a: b: c", "mapping values are not allowed"),
        ("\ta: 1", "cannot start any token"),
        ("a: \x07", "U+0007"),
        ("[" * 100, "nested deeper than 64"),
    ],
)
def test_what_we_do_not_read_is_one_problem_with_its_place(written: str, says: str) -> None:
    line, column, message = only_problem(read_yaml_text(written))

    assert says in message
    assert line >= 1
    assert column >= 1


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 12)]

    document = read_yaml_text("\n".join(["l0: &l0 [x]", *levels]))

    assert "100,000 values" in only_problem(document)[2]


def test_several_problems_are_all_told() -> None:
    document = read_yaml_text("a: !x 1\na: 2\nb: *c\n")

    assert [p.line for p in document.problems] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: \xff\n", "not UTF-8"),
        (b"\x7fELF\x00\x01", "not a text file"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        (b"a" * (MAX_BYTES + 1), "larger than 5 MB"),
    ],
)
def test_a_file_that_is_no_text_says_so(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)

    document = read_yaml_file(path)

    assert says in only_problem(document)[2]
    assert document.problems[0].file == path


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_yaml_file(path).data == {"a": 1}


def test_what_is_no_file_says_what_it_is(tmp_path: Path) -> None:
    missing = read_yaml_file(tmp_path / "missing.yaml")
    folder = read_yaml_file(tmp_path)
    impossible = read_yaml_file(tmp_path / "a\0b")

    assert "No such file" in only_problem(missing)[2]
    assert "a folder" in only_problem(folder)[2] or "can't be read" in only_problem(folder)[2]
    assert "not the name of a file" in only_problem(impossible)[2]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX only")
def test_a_pipe_that_nobody_writes_to_does_not_hang_the_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)

    assert "not a regular file" in only_problem(read_yaml_file(pipe))[2]


def test_a_file_of_comments_is_empty_and_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# nothing yet\n")

    document = read_yaml_file(path)

    assert document.is_empty
    assert document.problems == ()
