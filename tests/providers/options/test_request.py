"""What `options` may put into a request, and what of it costs more than tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.catalog.rows import DialectName
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.lookup import find_provider
from llm_orc.providers.options.request import (
    ALL_DIALECTS,
    extra_options,
    limit_in,
    option_problems,
    unpriced_options,
    wire_options,
)
from llm_orc.providers.options.table import LIMITS, OPTIONS, RESERVED

MCP = [{"type": "mcp", "server_label": "x", "server_url": "https://evil.example/", "require_approval": "never"}]


def refused(dialect: DialectName, options: dict[str, JsonValue], *allowed: str) -> list[str]:
    return [problem.name for problem in option_problems(options, (dialect,), allowed)]


@pytest.mark.parametrize(
    ("dialect", "options"),
    [
        ("openai-responses", {"tools": MCP}),
        ("openai-responses", {"store": True}),
        ("openai-responses", {"prompt": {"id": "pmpt_1"}}),
        ("openai-responses", {"previous_response_id": "resp_1"}),
        ("openai-responses", {"background": True}),
        ("openai-responses", {"service_tier": "priority"}),
        ("openai-responses", {"text": {"more": 1}}),
        ("openai-chat", {"tools": MCP}),
        ("openai-chat", {"models": ["dear/one"]}),
        ("openai-chat", {"plugins": [{"id": "web"}]}),
        ("openai-chat", {"provider": {"order": ["dear"]}}),
        ("openai-chat", {"web_search_options": {}}),
        ("openai-chat", {"n": 50}),
        ("openai-chat", {"n": True}),
        ("openai-chat", {"best_of": 3}),
        ("openai-chat", {"N": 50}),
        ("openai-chat", {"Model": "dear"}),
        ("openai-chat", {"MESSAGES": []}),
        ("openai-chat", {"stream_options": {"include_usage": False}}),
        ("openai-chat", {"usage": {"include": True, "other": 1}}),
        ("openai-chat", {"never_heard_of": 1}),
        ("openai-chat", {"top_p": "high"}),
        ("openai-chat", {"top_p": {"tools": MCP}}),
        ("openai-chat", {"reasoning": "high"}),
        ("openai-chat", {"max_tokens": "many"}),
        ("openai-chat", {"chat_template_kwargs": {"tools": MCP}}),
        ("anthropic", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ("anthropic", {"mcp_servers": [{"url": "https://evil.example/"}]}),
        ("anthropic", {"container": "c"}),
        ("anthropic", {"speed": "fast"}),
        ("anthropic", {"thinking": {"type": "enabled", "tools": MCP}}),
        ("gemini", {"tools": [{"googleSearch": {}}]}),
        ("gemini", {"cachedContent": "cachedContents/1"}),
        ("gemini", {"system_instruction": {}}),
        ("gemini", {"generationConfig": {"candidateCount": 8}}),
        ("gemini", {"generation_config": {"candidate_count": 8}}),
        ("gemini", {"generationConfig": {"responseModalities": ["IMAGE"]}}),
        ("gemini", {"generationConfig": {"speechConfig": {}}}),
    ],
)
def test_what_is_more_than_sampling_is_refused(dialect: DialectName, options: dict[str, JsonValue]) -> None:
    assert len(refused(dialect, options)) == 1


@pytest.mark.parametrize(
    ("dialect", "options"),
    [
        ("anthropic", {"top_k": 3, "top_p": 0.9, "stop_sequences": ["\n"], "temperature": 1}),
        ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("openai-responses", {"reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"}}),
        ("openai-chat", {"top_p": 0.5, "stop": "a", "seed": -1, "logit_bias": {"50256": -100}, "n": 1}),
        ("openai-chat", {"reasoning_effort": "high", "response_format": {"type": "json_object"}}),
        ("openai-chat", {"min_p": 0.05, "repeat_penalty": 1.1, "mirostat": 2, "num_ctx": 8192, "top_k": -1}),
        (
            "openai-chat",
            {"think": "high", "keep_alive": "5m", "thinking": {"type": "disabled"}, "num_predict": -1},
        ),
        ("gemini", {"generationConfig": {"topK": 3, "thinkingConfig": {"thinkingBudget": -1}}}),
        ("gemini", {"generation_config": {"top_k": 3, "max_output_tokens": 9}}),
    ],
)
def test_plain_sampling_options_are_for_everybody(dialect: DialectName, options: dict[str, JsonValue]) -> None:
    assert refused(dialect, options) == []
    assert extra_options(options, (dialect,)) == ()


def test_the_users_word_allows_a_field_with_all_that_is_in_it_and_nothing_beside_it() -> None:
    options: dict[str, JsonValue] = {"tools": MCP, "store": True, "thinking": {"type": "enabled", "new": 1}}

    assert refused("anthropic", options, "tools", "thinking.new") == ["store"]


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_no_word_allows_what_is_ours(dialect: DialectName) -> None:
    for name in RESERVED[dialect]:
        assert refused(dialect, {name: "mine", name.upper(): "mine"}, name, name.upper()) == [name, name.upper()]


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@given(
    options=st.dictionaries(
        st.sampled_from([*{n.split(".")[0] for rows in OPTIONS.values() for n in rows}, *LIMITS, "new"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["type", "effort", "tools", "topK", "maxOutputTokens"]), inner)
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_what_passes_is_sampling_or_the_limit_whatever_is_written(
    dialect: DialectName, options: dict[str, Any]
) -> None:
    if refused(dialect, options):
        return
    names = {extra.name for extra in extra_options(options, (dialect,))}
    assert names == set()
    sent = wire_options(options, dialect)
    assert not {name.lower() for name in sent} & {name.lower() for name in RESERVED[dialect]}
    assert limit_in(sent) is None


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({}, None),
        ({"max_completion_tokens": 9}, 9),
        ({"generationConfig": {"maxOutputTokens": 7}}, 7),
        ({"generation_config": {"max_output_tokens": 7}}, 7),
        ({"num_predict": -1}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": 5, "num_predict": 3}, 3),
    ],
)
def test_the_limit_is_read_under_each_of_its_names(options: dict[str, JsonValue], limit: int | None) -> None:
    assert limit_in(options) == limit


def test_what_is_not_known_to_cost_only_tokens_has_no_price() -> None:
    options: dict[str, JsonValue] = {"service_tier": "flex", "metadata": {"a": "b"}, "new": 1, "top_p": 0.5}

    assert unpriced_options(options, "openai-responses") == ("service_tier", "new")


def test_every_dialect_of_a_provider_has_a_table() -> None:
    assert set(OPTIONS) == set(RESERVED) == set(ALL_DIALECTS)
    assert find_provider("openai", {}).dialect in OPTIONS
