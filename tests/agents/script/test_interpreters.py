"""Which program runs a file, on every system: pure functions of its name and first line."""

from __future__ import annotations

import sys

import pytest

from llm_orc.agents.script.interpreters import (
    interpreter_for,
    may_read_code,
    takes_commands_from_stdin,
)
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


@pytest.mark.parametrize(
    "argv",
    [
        *(("bash", "-e"), ("bash", "-v"), ("bash", "-eu", "-o", "pipefail"), ("bash", "/dev/fd/0"), ("bash",)),
        *(("python3", "-W", "ignore"), ("python3", "-E"), ("python3", "-"), (".venv/bin/python", "-"), ("node",)),
        *(
            ("timeout", "9", "bash"),
            ("nice", "-n", "5", "bash"),
            ("sudo", "-u", "x", "bash"),
            ("env", "A=b", "sh"),
        ),
        *(("bash", "-s", "x.sh"), ("uv", "run", "python"), ("perl", "-w")),
    ],
)
def test_an_interpreter_may_read_code_unless_that_is_ruled_out(argv: tuple[str, ...]) -> None:
    assert may_read_code(argv)


@pytest.mark.parametrize(
    "argv",
    [
        *(("bash", "x.sh"), ("bash", "deploy"), ("bash", "-e", "x.sh"), ("bash", "-lc", "wc"), ("wc", "-c")),
        *(("python3", "-m", "json.tool"), ("python3", "-c", "x"), ("python3", "-u", "a.py"), ("grep", "bash")),
        *(("timeout", "9", "bash", "x.sh"), ("node", "-e", "x"), ("perl", "-ne", "print"), ("jq", ".")),
    ],
)
def test_what_has_something_to_run_reads_data(argv: tuple[str, ...]) -> None:
    assert not may_read_code(argv)


def test_what_takes_commands_is_found_behind_what_starts_it() -> None:
    assert takes_commands_from_stdin(("timeout", "5", "xargs", "rm"))
    assert not takes_commands_from_stdin(("timeout", "5", "wc"))
