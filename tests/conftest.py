"""What every test may rely on: an environment without anybody's keys, folders or proxies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.examples import THOROUGH

if TYPE_CHECKING:
    from pathlib import Path

# How long it takes to make inputs, or a test to run, says more of a busy machine than of the test.
settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=20)
settings.register_profile(THOROUGH, settings.get_profile("quick"), max_examples=100)
settings.load_profile("quick")


def pytest_xdist_auto_num_workers() -> int:
    """Many tests wait for a server or a process, so there is work for more workers than processors."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


_KEPT = {
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_PROCESS_START",
    "COVERAGE_FILE",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
