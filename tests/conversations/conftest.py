"""Stores in temporary folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.auth.access import Access, Billing
from llm_orc.conversations.store import ConversationStore
from llm_orc.providers.base import StopReason, Usage

ACCESS = Access("anthropic-api", "api-key", Billing.METERED, "environment variable X", "https://api.example")
NOW = 1_000_000.0


def output(
    text: str,
    cost_usd: float | None = 0.25,
    usage: Usage = Usage(10, 5, 4, 1),  # noqa: B008 - frozen
    ending: tuple[StopReason, str] = ("end_turn", ""),
) -> AgentOutput:
    return AgentOutput(text, (ModelCall("model-1", ACCESS, usage, cost_usd, ending[0], "req-1", ending[1]),))


_T = TypeVar("_T")


def written(store: ConversationStore, write: Callable[..., _T], *values: Any) -> _T:
    """Carry out one write in a transaction of its own, and return what it returns."""
    with store.database.change() as connection:
        return write(connection, *values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "conversations.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[ConversationStore]:
    store = ConversationStore(path)
    yield store
    store.close()
