"""Whoever looks on may fail: the run and its answers don't."""

from __future__ import annotations

import pytest

from llm_orc.agents.path import AgentPath
from llm_orc.engine.events import AgentNotice, RunEvent
from llm_orc.runs.reader import Reader
from llm_orc.runs.wire import decode_event, encode_event


def test_a_reader_that_fails_hears_no_more_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[RunEvent] = []

    def show(event: RunEvent) -> None:
        heard.append(event)
        raise ValueError("can't show this")

    reader = Reader(show)
    for number in range(3):
        reader.show(AgentNotice(float(number), AgentPath("a"), "hello"))

    assert len(heard) == 1
    assert isinstance(reader.failure, ValueError)
    assert "receives no more" in caplog.text


def test_an_event_with_half_a_character_is_kept() -> None:
    kind, body = encode_event(AgentNotice(1.0, AgentPath("a\udcff"), "half \ud83d of one, \ud83d\ude00 whole"))

    assert decode_event(kind, body) == (
        AgentNotice(1.0, AgentPath("a\ufffd"), "half \ufffd of one, \U0001f600 whole"),
    )
