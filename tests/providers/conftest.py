"""Loopback servers, a transport, and someone who watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from llm_orc.errors import LlmOrcError
from llm_orc.providers.http import Http
from llm_orc.settings.model import NetworkSettings

from .loopback import Loopback


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


@dataclass
class Watcher:
    """A `ReplyObserver` that keeps what it sees."""

    pieces: list[str] = field(default_factory=list)
    retries: list[tuple[LlmOrcError, int, float]] = field(default_factory=list)

    def text(self, piece: str) -> None:
        self.pieces.append(piece)

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self.retries.append((error, attempt, delay_s))
        self.pieces.clear()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@dataclass
class Naps:
    """Sleeps that take no time and are counted."""

    taken: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()
