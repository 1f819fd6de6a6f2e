"""What every test may rely on: an environment without anybody's keys, folders or proxies."""

from __future__ import annotations

import gc
import os
import re
import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.examples import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests.batches.postgres import Postgres

# How long it takes to make inputs, or a test to run, says more of a busy machine than of the test.
settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=20)
settings.register_profile(THOROUGH, settings.get_profile("quick"), max_examples=100)
settings.load_profile("quick")


def pytest_xdist_auto_num_workers() -> int:
    """Many tests wait for a server or a process, so there is work for more workers than processors."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are no garbage, and need not be looked through for it during the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20)
        gc.enable()
        for (
            name
        ) in _foreign_variables():  # once, so that hardly any is left to be taken away and put back at each test
            del os.environ[name]


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
    "POSTGRES_BIN",
}


def _foreign_variables() -> list[str]:
    return [name for name in os.environ if name not in _KEPT and not name.startswith("PYTEST")]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _foreign_variables():
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


@pytest.fixture(autouse=True)
def without_keychain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra `keyring` is not installed: to ask for a keychain, each new store starts a process."""
    monkeypatch.setitem(sys.modules, "keyring", None)


_folder_number = count(1)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An own folder, as pytest's, which also moves a link to the newest one of each name."""
    name = re.sub(r"\W+", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(_folder_number)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    from tests.batches.postgres import Postgres, find_programs

    if (programs := find_programs()) is None:
        pytest.skip("needs PostgreSQL's server programs; .ci/run installs them")
    with Postgres(programs) as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """A server whose `url` is that of an empty database; it may be stopped, if it is started again."""
    postgres_server.new_database()
    return postgres_server
