from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_orc.net.options import NetworkSettings
from llm_orc.providers.official_cli.official import OfficialClis
from tests.fakes.claude import StandIn, install


@pytest.fixture
def claude(tmp_path: Path) -> StandIn:
    return install(tmp_path / "stand-in")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories go, so that what is left behind can be seen."""
    room = tmp_path / "tmp"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    return room


@pytest.fixture
async def clis(claude: StandIn, room: Path) -> AsyncIterator[OfficialClis]:
    environ = {"PATH": claude.path, "HOME": str(claude.folder), "ANTHROPIC_API_KEY": "sk-marker"}
    async with OfficialClis(environ, network=NetworkSettings(idle_timeout_s=20)) as clis:
        yield clis
