"""Which pager shows long text."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.cli.shell.output.pager import pager_command


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name in ("less", "most"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("environ", "command"),
    [
        ({}, ["less"]),
        ({"PAGER": "most -w"}, ["most", "-w"]),
        ({"PAGER": "most", "LLM_ORC_PAGER": "less -N"}, ["less", "-N"]),
        ({"PAGER": ""}, None),
        ({"PAGER": "cat"}, None),
        ({"PAGER": "less", "LLM_ORC_PAGER": ""}, None),
        ({"PAGER": "not-there"}, None),
        ({"PAGER": "less 'open"}, None),
    ],
)
def test_the_pager(environ: dict[str, str], command: list[str] | None, folder: str) -> None:
    found = pager_command({**environ, "PATH": folder})

    assert found == (command and [str(Path(folder, command[0])), *command[1:]])


def test_no_pager_is_no_problem(tmp_path: Path) -> None:
    assert pager_command({"PATH": str(tmp_path)}) is None
