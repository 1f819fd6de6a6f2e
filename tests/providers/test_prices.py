"""What calls cost."""

from __future__ import annotations

import socket

import pytest

from llm_orc.providers.base import Usage
from llm_orc.providers.prices import listed_usd


def test_known_models_have_a_price_and_cached_tokens_are_cheaper() -> None:
    plain = listed_usd("anthropic-api", "claude-sonnet-4-5", Usage(1_000_000, 0))
    cached = listed_usd("anthropic-api", "claude-sonnet-4-5", Usage(1_000_000, 0, cache_read_tokens=1_000_000))

    assert plain is not None
    assert cached is not None
    assert 0 < cached < plain


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such-model"), ("ollama", "gpt-4o"), ("openai-compatible/x", "gpt-4o")]
)
def test_an_unknown_price_is_none(provider: str, model: str) -> None:
    assert listed_usd(provider, model, Usage(1000, 1000)) is None


def test_counts_that_contradict_each_other_have_no_price() -> None:
    assert listed_usd("anthropic-api", "claude-sonnet-4-5", Usage(1, 1, cache_read_tokens=1000)) is None


def test_no_price_comes_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"a price look-up went to the network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert listed_usd("google-gemini", "gemini-2.5-flash", Usage(1234, 56)) is not None
