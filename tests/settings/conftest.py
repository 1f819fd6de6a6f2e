"""A user's folder and a project on the disk, to write settings into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from llm_orc.settings.load import load_settings, read_guarded, trust_file
from llm_orc.settings.trust import SETTINGS, TrustStore
from llm_orc.storage.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.model import Settings


@dataclass(frozen=True)
class Place:
    """`home` is the user's home directory; work happens in `project`."""

    home: Path
    project: Path
    paths: Paths

    def user(self, text: str, name: str = "config.yaml") -> Path:
        return _write(self.paths.config / name, text)

    def in_project(self, text: str, name: str = "config.yaml") -> Path:
        return _write(self.project / ".llm-orc" / name, text)

    def load(
        self, environ: Mapping[str, str] | None = None, flags: Mapping[str, JsonValue] | None = None
    ) -> Settings:
        return load_settings(self.paths, self.project, {"HOME": str(self.home), **(environ or {})}, flags)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    home = tmp_path / "home"
    project = home / "work" / "panel"
    project.mkdir(parents=True)
    return Place(home, project, Paths(home / ".config/llm-orc", home / "state", home / "cache"))


def trust(place: Place) -> None:
    guarded = read_guarded(place.paths, place.project, {"HOME": str(place.home)})
    assert guarded is not None
    TrustStore(trust_file(place.paths)).trust(guarded.root, {SETTINGS: guarded.digest})
