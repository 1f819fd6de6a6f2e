"""Loopback servers, and the transport that is tested against them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from tests.fakes.loopback import Loopback


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    await loopback.start()
    yield loopback
    await loopback.stop()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(idle_timeout_s=30), max_connections=50) as transport:
        yield transport
