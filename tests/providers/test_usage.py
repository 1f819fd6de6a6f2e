"""What providers say of their tokens: whatever it is, a paid answer is kept, and unknown stays unknown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.jsontypes import JsonValue
from llm_orc.net.transport import Answer
from llm_orc.providers.base import Target, Usage
from llm_orc.providers.prices import listed_usd
from llm_orc.providers.usage import believable_count, believable_usd
from tests.examples import many
from tests.providers.dialects import test_anthropic, test_gemini, test_openai_chat, test_openai_responses
from tests.providers.dialects.suite import TEXTS, DialectSuite

SUITES: tuple[DialectSuite, ...] = (
    test_anthropic.TestAnthropic(),
    test_openai_chat.TestOpenAIChat(),
    test_openai_responses.TestOpenAIResponses(),
    test_gemini.TestGemini(),
)
NAMES = frozenset({"usage", "usageMetadata"})
TARGET = Target("p", "m")
MISSING = object()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
count_values = json_values | st.integers(-3, 20)

Change = Callable[[dict[str, Any]], object]
"""Gives what stands in the place of a usage."""


def changed(value: Any, change: Change) -> Any:
    """Return a JSON value with each usage in it changed."""
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {k: change(v) if k in NAMES and isinstance(v, dict) else changed(v, change) for k, v in value.items()}
    return {k: v for k, v in kept.items() if v is not MISSING}


def events_with(suite: DialectSuite, change: Change) -> Iterator[bytes]:
    for raw in b"".join(suite.events(TEXTS, "end_turn")).split(b"\n\n"):
        head, mark, data = raw.partition(b"data: ")
        if data.startswith(b"{"):
            data = json.dumps(changed(json.loads(data), change)).encode()
        yield head + mark + data + b"\n\n"


def both_ways(suite: DialectSuite, change: Change) -> tuple[Usage, Usage]:
    """Return the usage of a whole reply and of a stream; the texts of both are there."""
    body = json.dumps(changed(suite.whole("".join(TEXTS), "end_turn"), change)).encode()
    whole = suite.dialect.read(Answer(200, {}, body), TARGET)
    decoder = suite.dialect.decoder(TARGET)
    for event in events_with(suite, change):
        decoder.feed(event)
    streamed = decoder.finish(Answer(200, {}))
    assert whole.text == streamed.text == "".join(TEXTS)
    return whole.usage, streamed.usage


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.dialect.name)
@pytest.mark.parametrize(
    "usage",
    [MISSING, None, [], {}, 0, "12", True, -5, [{"input_tokens": 3}]],
    ids=lambda usage: "missing" if usage is MISSING else repr(usage),
)
def test_an_answer_without_a_usage_is_kept_and_what_it_took_is_not_known(
    suite: DialectSuite, usage: object
) -> None:
    for found in both_ways(suite, lambda _usage: usage):
        assert (found.input_tokens, found.output_tokens, found.tokens) == (None, None, None)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.dialect.name)
@pytest.mark.parametrize("count", [None, 0, -5, 1.5, True, "10", [], {}, 10**15], ids=repr)
def test_counts_that_can_not_be_true_are_not_known(suite: DialectSuite, count: JsonValue) -> None:
    for found in both_ways(suite, lambda usage: dict.fromkeys(usage, count)):
        assert (found.input_tokens, found.output_tokens) == (None, None)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.dialect.name)
def test_no_usage_whatever_it_is_costs_an_answer_or_counts_as_nothing(suite: DialectSuite) -> None:
    @settings(max_examples=many(40), deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        def change(usage: dict[str, Any]) -> object:
            return data.draw(json_values | st.fixed_dictionaries(dict.fromkeys(usage, count_values)))

        for found in both_ways(suite, change):
            assert found.input_tokens is None or found.input_tokens > 0
            assert found.output_tokens is None or found.output_tokens > 0
            cached = found.cache_read_tokens + found.cache_write_tokens
            assert 0 <= cached <= (found.input_tokens or 0)

    check()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.dialect.name)
@pytest.mark.parametrize("last", [None, 0, -5, [], {}, "zero"], ids=repr)
def test_a_last_count_that_says_nothing_takes_no_real_one_back(suite: DialectSuite, last: JsonValue) -> None:
    *events, end = list(suite.events(TEXTS, "end_turn"))
    counted = [event for event in [*events, end] if any(name.encode() in event for name in NAMES)][-1]
    data = json.loads(counted.partition(b"data: ")[2])
    emptied = changed(data, lambda usage: dict.fromkeys(usage, last) if last in (0, -5) else last)
    decoder = suite.dialect.decoder(TARGET)
    for event in [*events, end]:
        if not decoder.is_over:
            decoder.feed(event)
        if event is counted:
            _without_text_and_end(emptied)
            decoder.feed(b"data: " + json.dumps(emptied).encode() + b"\n\n")

    assert decoder.finish(Answer(200, {})).usage == suite.usage


def _without_text_and_end(event: dict[str, Any]) -> None:
    """The event's text has come already."""
    event.pop("choices", None)
    event.pop("candidates", None)


def test_a_count_from_before_the_end_is_not_that_of_the_answer() -> None:
    suite = test_anthropic.TestAnthropic()
    decoder = suite.dialect.decoder(TARGET)
    for event in events_with(suite, lambda usage: usage if "input_tokens" in usage else MISSING):
        decoder.feed(event)

    usage = decoder.finish(Answer(200, {})).usage
    assert (usage.input_tokens, usage.output_tokens) == (10, None)


def test_thoughts_that_only_the_total_counts_are_output() -> None:
    suite = test_openai_chat.TestOpenAIChat()

    for found in both_ways(suite, lambda usage: {**usage, "total_tokens": 217}):
        assert (found.input_tokens, found.output_tokens) == (10, 207)


@given(json_values)
def test_what_is_believed_is_a_count_and_a_price(value: JsonValue) -> None:
    count, usd = believable_count(value), believable_usd(value)

    assert count is None or (type(count) is int and count >= 0 and count == value)
    assert usd is None or (type(usd) is float and usd >= 0 and usd == value)
    assert not isinstance(value, bool | str | list | dict) or (count, usd) == (None, None)


@pytest.mark.parametrize("value", [-5, float("nan"), float("inf"), 1e12, "0.5", None, True])
def test_a_stated_cost_that_can_not_be_true_is_not_known(value: object) -> None:
    assert believable_usd(value) is None


def test_a_call_whose_tokens_are_not_known_has_no_price() -> None:
    assert listed_usd("anthropic-api", "claude-sonnet-4-5", Usage(10, None)) is None
    assert listed_usd("anthropic-api", "claude-sonnet-4-5", Usage(None, 10)) is None


@pytest.mark.parametrize(
    ("tier", "is_listed"),
    [(None, True), ("default", True), ("flex", True), ("priority", False), ("scale", False), ([1], False)],
)
def test_a_dearer_level_of_service_has_no_list_price(tier: JsonValue, is_listed: bool) -> None:
    for suite in SUITES[:3]:
        whole = suite.whole("".join(TEXTS), "end_turn")
        place = whole["usage"] if suite.dialect.name == "anthropic" else whole
        place["service_tier"] = tier
        usage = suite.dialect.read(Answer(200, {}, json.dumps(whole).encode()), TARGET).usage

        assert (listed_usd("anthropic-api", "claude-sonnet-4-5", usage) is not None) == is_listed
