"""The help of the program itself is what click would print, without click."""

from __future__ import annotations

import pytest

from llm_orc.cli.root import root
from llm_orc.cli.root_help import root_help


@pytest.mark.parametrize("columns", [1, 40, 52, 60, 72, 80, 99, 100, 102, 140, 300])
def test_the_help_is_that_of_the_commands(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with root.make_context("llm-orc", [], resilient_parsing=True) as context:
        expected = root.get_help(context)

    assert root_help(columns).rstrip("\n") == expected.rstrip("\n")
    assert root_help() == root_help(columns)


@pytest.mark.parametrize("columns", ["", "0", "wide"])
def test_a_width_that_is_none_is_the_terminals(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert root_help() == root_help(80)
