"""`llm-orc schema`: to standard output or into a file."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell


@pytest.mark.parametrize(("name", "has"), [("ensemble", "agents"), ("config", "model_profiles")])
def test_it_prints_one_document(shell: Shell, name: str, has: str) -> None:
    done = shell.run("schema", name)

    assert done.returncode == 0
    assert has in json.loads(done.stdout)["properties"]


def test_it_writes_a_file(shell: Shell) -> None:
    done = shell.run("schema", "result", "-o", "result.schema.json")

    assert (done.returncode, done.stdout) == (0, "")
    assert "$schema" in json.loads((shell.cwd / "result.schema.json").read_text())


def test_another_name_is_refused(shell: Shell) -> None:
    assert shell.run("schema", "nothing").returncode == 2
