"""Calls of tools in words: short, on one line, and nothing in them steers a terminal."""

from __future__ import annotations

import pytest

from llm_orc.formats.tools.words import arguments_words, ended_words, listed_words, number_words
from llm_orc.jsontypes import JsonValue
from llm_orc.runs.tools.used import ToolUsed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (None, ""),
        ({}, ""),
        ({"path": "src/app.py"}, "src/app.py"),
        ({"path": "a.py", "lines": 20, "all": True}, "path=a.py lines=20 all=true"),
        ({"text": "one\ntwo\x1b[31m\u202e"}, "one two\\x1b[31m\\u202e"),
        ({"n": {"a": [1]}}, 'n={"a": [1]}'),
    ],
)
def test_arguments_in_short(arguments: dict[str, JsonValue] | None, words: str) -> None:
    assert arguments_words(arguments) == words


def test_long_arguments_are_cut() -> None:
    assert len(arguments_words({"text": "x" * 1000, "other": "y" * 1000})) <= 61
    assert len(arguments_words({"text": "x" * 1000})) <= 61


def test_how_a_call_ended() -> None:
    call: dict[str, JsonValue] = {"path": "a"}
    assert ended_words(ToolUsed("files.read", call, "done", 0.0, 0.24)) == "files.read a, 0.2 s"
    assert ended_words(ToolUsed("files.read", call, "failed", 0.0, 61)) == "files.read a, failed, 1 min 01 s"
    assert ended_words(ToolUsed("run.x", None, "refused")) == "run.x, refused"
    assert ended_words(ToolUsed("run.x", None, "unknown", 0.0, 0.0)) == "run.x, not known whether it happened"
    assert ended_words(ToolUsed("run.x", None)) == "run.x, not ended"
    assert ended_words(ToolUsed("run.x\n\x1b", {}, "refused")) == "run.x \\x1b, refused"


def test_of_many_calls_the_first_and_the_last_are_listed() -> None:
    used = [ToolUsed(f"run.n{i}", {}, "done" if i else "failed") for i in range(50)]

    lines = list(listed_words(used))

    assert (len(lines), lines[0], lines[10], lines[-1]) == (21, "run.n0, failed", "… 30 more …", "run.n49")
    assert number_words(used) == "50 tools called, 1 failed"
