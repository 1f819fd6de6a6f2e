"""Stores of batches, and an intruder who writes into them what a worker must not read."""

from __future__ import annotations

import base64
import pickle
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from llm_orc.batches.database import engine_of
from llm_orc.batches.store_url import StoreUrl, parse_store_url
from tests.batches.intruder import Bomb, Intruder, Mark
from tests.batches.postgres import Postgres, find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    return Mark(tmp_path / "code was run")


@pytest.fixture
def bomb(mark: Mark) -> str:
    return base64.b64encode(pickle.dumps(Bomb(mark.path))).decode()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    programs = find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's server programs; .ci/run installs them")
    with Postgres(programs) as started:
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreUrl]:
    if request.param == "sqlite":
        yield parse_store_url(str(tmp_path / "batches.sqlite"), tmp_path)
        return
    store_url = parse_store_url(request.getfixturevalue("server").url, tmp_path)
    yield store_url
    engine = engine_of(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS dbos CASCADE"))
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture
def write(store: StoreUrl) -> Intruder:
    return Intruder(store)
