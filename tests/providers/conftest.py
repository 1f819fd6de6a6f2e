"""Loopback servers, a transport, and someone who watches."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from llm_orc.errors import LlmOrcError
from tests.net.conftest import clean_environment, http, server

__all__ = ["Watcher", "clean_environment", "http", "server"]  # fixtures, for the modules beside this one


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
