"""Paths in messages are short, and still lead to the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.storage.shown_path import shown_path

if TYPE_CHECKING:
    import pytest


def test_a_path_is_relative_to_the_working_directory_or_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, work = tmp_path / "home", tmp_path / "home" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))

    assert shown_path(work / "a" / "b.yaml") == str(Path("a", "b.yaml"))
    assert shown_path(home / "b.yaml") == str(Path("~", "b.yaml"))
    assert shown_path(tmp_path / "b.yaml") == str(tmp_path / "b.yaml")
    assert shown_path(Path("b.yaml")) == "b.yaml"
