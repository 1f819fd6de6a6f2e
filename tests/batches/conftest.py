"""Stores of batches, and an intruder who writes into them what a worker must not read."""

from __future__ import annotations

import base64
import pickle
from typing import TYPE_CHECKING

import pytest

from llm_orc.batches.store_url import StoreUrl, parse_store_url
from tests.batches.intruder import Bomb, Intruder, Mark

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    return Mark(tmp_path / "code was run")


@pytest.fixture
def bomb(mark: Mark) -> str:
    return base64.b64encode(pickle.dumps(Bomb(mark.path))).decode()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StoreUrl:
    if request.param == "sqlite":
        return parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path)
    return parse_store_url(request.getfixturevalue("postgres").url, tmp_path)


@pytest.fixture
def write(store: StoreUrl) -> Intruder:
    return Intruder(store)
