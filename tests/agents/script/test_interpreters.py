"""Which program runs a file, on every system: pure functions of its name and first line."""

from __future__ import annotations

import sys

import pytest

from llm_orc.agents.script.interpreters import interpreter_for
from llm_orc.agents.script.places import is_file_name


@pytest.mark.parametrize(
    ("file", "first_line", "program"),
    [
        ("/p/x.py", b"import sys", (sys.executable,)),
        ("/p/x.py", b"#!/usr/bin/env python3\n", (sys.executable,)),
        ("/p/x.py", b"#!/usr/bin/env -S uv run --script\n", ("uv", "run", "--script")),
        ("/p/x.py", b"#!/opt/pypy/bin/pypy\n", ("/opt/pypy/bin/pypy",)),
        ("/p/x.sh", b"echo", ("bash",)),
        ("/p/x.sh", b"#!/bin/zsh -f\n", ("zsh", "-f")),
        ("C:\\p\\X.PY", b"", (sys.executable,)),
        ("C:\\p\\x.sh", b"#!/bin/bash\r\n", ("bash",)),
        ("C:\\p\\x.ps1", b"", ("pwsh", "-NoProfile", "-File")),
        ("/p/x.js", b"", ("node",)),
        ("/p/x.rb", b"", ("ruby",)),
        ("/p/x", b"#!/usr/bin/env ruby\n", ("ruby",)),
        ("/p/x", b"echo", ("bash",)),
    ],
)
def test_a_file_is_run_by_what_its_first_line_or_ending_says(
    file: str, first_line: bytes, program: tuple[str, ...]
) -> None:
    assert interpreter_for(file, first_line) == program


def test_a_program_of_the_system_is_run_as_it_is() -> None:
    assert interpreter_for("/p/tool", b"\x7fELF\0", is_executable=True) == ()


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("check.py", True),
        ("tools/check", True),
        ("tools\\check.py", True),
        ("C:\\tools\\check.exe", True),
        ("my check.py", True),
        ("git", False),
        ("cat a/b", False),
        ("echo 1\n./x.sh", False),
    ],
)
def test_a_text_is_a_file_if_it_can_only_be_one(text: str, *, is_file: bool) -> None:
    assert is_file_name(text) is is_file
