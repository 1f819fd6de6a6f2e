"""Inputs of a batch: what is read, what becomes of each, and that no input can break the others."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.app.batches.input_lines import Input
from llm_orc.app.batches.inputs import Shaping, make_tasks, read_inputs
from llm_orc.app.batches.placeholders import placeholders
from llm_orc.errors import InputError

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.lists(st.dictionaries(texts, texts, max_size=4), min_size=1, max_size=20))
def test_what_was_written_as_json_lines_is_read_again(rows: list[dict[str, str]]) -> None:
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    found = read_inputs("-", written.encode())

    assert [one.fields for one in found] == rows
    assert [one.line for one in found] == list(range(1, len(rows) + 1))


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=20))
def test_what_was_written_as_csv_is_read_again(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("csv") / "in.csv"
    text = io.StringIO()
    csv.writer(text).writerows([("name", "words"), *rows])
    file.write_bytes(text.getvalue().encode())

    found = read_inputs(str(file))

    assert [one.error for one in found] == [None] * len(rows)
    assert [(one.fields["name"], one.fields["words"]) for one in found] == rows


@given(st.binary(max_size=400))
def test_whatever_comes_is_inputs_or_an_error_that_says_so(data: bytes) -> None:
    try:
        found = read_inputs("-", data)
    except InputError:
        return
    assert all(one.error is None or "line" in one.error for one in found)


def test_a_template_takes_columns_by_their_names_or_others(tmp_path: Path) -> None:
    inputs = [Input(2, {"Company name": "Acme", "n": 3, "tags": ["a", "b"]})]
    shaping = Shaping("Judge {{ name }} ({{n}}): {{tags}}", {"Company name": "name"})

    (task,) = make_tasks(inputs, shaping)

    assert task.task == 'Judge Acme (3): ["a", "b"]'
    assert task.label == "Acme"


def test_braces_in_what_is_filled_in_are_left_alone() -> None:
    (task,) = make_tasks([Input(1, {"a": "{{b}}", "b": "secret"})], Shaping("{{a}}"))

    assert task.task == "{{b}}"
    assert placeholders("{{a}} {b} {{ c d }} {{a}}") == ("a", "c d")


def test_a_sample_is_always_the_same_and_keeps_its_order() -> None:
    inputs = [Input(n, {"input": f"row {n}"}) for n in range(1, 101)]

    first, again = (make_tasks(inputs, Shaping(sample=10)) for _ in range(2))

    assert first == again
    assert len(first) == 10
    assert [task.line for task in first] == sorted(task.line for task in first)
    assert [task.number for task in first] == list(range(1, 11))


@pytest.mark.parametrize(
    ("fields", "task"),
    [
        ({"input": "x", "other": "y"}, "x"),
        ({"task": "x"}, "x"),
        ({"only": "x"}, "x"),
        ({"id": "1", "text": "x"}, "x"),
    ],
)
def test_without_a_template_the_task_is_found(fields: dict[str, str], task: str) -> None:
    assert make_tasks([Input(1, dict(fields))], Shaping())[0].task == task


def test_several_columns_of_which_none_is_the_task_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="no column `input`") as caught:
        make_tasks([Input(1, {"a": "x", "b": "y"})], Shaping())

    assert caught.value.hint is not None
    assert "--map COLUMN=input" in caught.value.hint


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_folder_s_links_are_followed_no_further_than_the_folder(tmp_path: Path) -> None:
    secret, folder, inner = tmp_path / "secret.txt", tmp_path / "inputs", tmp_path / "inputs" / "more"
    inner.mkdir(parents=True)
    for file in (secret, inner / "deep.txt", folder / ".hidden"):
        file.write_text("canary")
    (folder / "a.txt").write_text("an input")
    (folder / "b.txt").symlink_to("a.txt")
    for name, target in {
        "c.txt": secret,
        "d.txt": Path("../secret.txt"),
        "e.txt": folder / ".hidden",
        "f.txt": Path("more/deep.txt"),
        "g.txt": tmp_path / "nowhere",
        "h.txt": Path("c.txt"),
        "loop": Path("loop"),
        "out": tmp_path,
    }.items():
        (folder / name).symlink_to(target)

    inputs = {one.fields["name"]: one for one in read_inputs(str(folder))}

    assert {name: one.fields.get("input") for name, one in inputs.items() if not one.error} == {
        "a.txt": "an input",
        "b.txt": "an input",
    }
    refused = {name for name, one in inputs.items() if "leads out of the folder" in (one.error or "")}
    assert refused >= {"c.txt", "d.txt", "e.txt", "f.txt", "g.txt", "h.txt"}
    assert "out" not in inputs
    assert "canary" not in str(inputs)


def test_a_file_that_is_no_text_and_a_folder_with_one(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("words")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")

    found = {one.fields["name"]: one.error for one in read_inputs(str(tmp_path))}

    assert found == {"good.txt": None, "photo.jpg": "`photo.jpg` is not UTF-8 text"}
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_inputs(str(tmp_path / "photo.jpg"))


@pytest.mark.parametrize(
    ("columns", "shaping", "said", "hint"),
    [
        (("firma", "land"), Shaping("{{firm}}"), "the task has a placeholder `firm`", "Did you mean `firma`?"),
        (("firm",), Shaping("{{firm}}", {"frim": "x"}), "no input has a column `frim`", "Did you mean `firm`?"),
        (("a", "b"), Shaping("{{x}}", {"a": "x", "b": "x"}), "two columns are mapped to one name, `x`", "--map"),
        (("a", "b"), Shaping("{{b}}", {"a": "b"}), "two columns are mapped to one name, `b`", "--map"),
        (("a",), Shaping("the same for all"), "the task has no placeholder", "{{a}}"),
        (("a",), Shaping(" "), "the task is empty", "--input"),
        (
            ("a",),
            Shaping("{{a}}", prompts={"the system prompt of agent `x`": "{{b}}"}),
            "the system prompt of agent `x` has a placeholder `b`",
            "--map COLUMN=b",
        ),
    ],
)
def test_what_no_input_can_fill_in_is_refused_at_once(
    columns: tuple[str, ...], shaping: Shaping, said: str, hint: str
) -> None:
    with pytest.raises(InputError) as refused:
        make_tasks([Input(1, dict.fromkeys(columns, "value"))], shaping)

    assert said in refused.value.message
    assert hint in str(refused.value.hint)


def test_no_inputs_at_all_are_refused() -> None:
    with pytest.raises(InputError, match="there are no inputs"):
        make_tasks([], Shaping("{{a}}"))


@pytest.mark.parametrize(("name", "content"), [("a.csv", "name,text\n"), ("a.jsonl", "\n"), ("a.txt", "")])
def test_a_file_without_any_input_is_named(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)

    with pytest.raises(InputError, match=r"there are no inputs: `.*` is empty") as refusal:
        read_inputs(str(path))

    assert str(path) in refusal.value.message
    assert refusal.value.hint


def test_so_is_an_empty_standard_input() -> None:
    with pytest.raises(InputError, match="there are no inputs: standard input is empty"):
        read_inputs("-", b"")
