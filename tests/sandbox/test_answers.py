"""What the canned answers say, in every dialect, whole and streamed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.calls import CALLS, DIALECTS, PROMPT, SYSTEM, ask, streamed_text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_answer_first_says_that_it_is_canned(dialect: str) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, dialect)

    text = CALLS[dialect].text(got.json)
    assert text.startswith(LABEL)
    assert got.headers["x-llm-orc-sandbox"] == "canned"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_says_its_role_and_what_was_asked(dialect: str) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, dialect)

    text = CALLS[dialect].text(got.json)
    assert SYSTEM in text
    assert PROMPT in text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_carries_the_same_text_as_the_whole_answer(dialect: str) -> None:
    async with Sandbox() as sandbox:
        whole = await ask(sandbox, dialect)
        streamed = await ask(sandbox, dialect, stream=True)

    assert streamed_text(dialect, streamed) == CALLS[dialect].text(whole.json)
    assert streamed.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_same_request_gets_the_same_text_from_another_sandbox(dialect: str) -> None:
    async with Sandbox() as one, Sandbox() as other:
        first = await ask(one, dialect)
        second = await ask(other, dialect)

    assert CALLS[dialect].text(first.json) == CALLS[dialect].text(second.json)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tokens_are_counted_as_words(dialect: str) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, dialect)

    input_tokens, output_tokens = CALLS[dialect].usage(got.json)
    spoken = CALLS[dialect].text(got.json).removeprefix(LABEL)
    assert input_tokens == len(f"{SYSTEM} {PROMPT}".split())
    assert output_tokens == 1 + len(spoken.split())


async def test_a_long_prompt_is_shortened_with_the_number_of_its_words() -> None:
    words = [f"word{n}" for n in range(300)]

    async with Sandbox() as sandbox:
        got = await ask(sandbox, "openai-responses", input=" ".join(words))

    text = CALLS["openai-responses"].text(got.json)
    assert "word11 … (300 words)" in text
    assert "word12" not in text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_rehearsal_shows_system_prompt_and_prompt_in_full(dialect: str) -> None:
    long_prompt = "\n".join(f"line {n} of the question" for n in range(200))
    body = json.loads(json.dumps(CALLS[dialect].body).replace(PROMPT, json.dumps(long_prompt)[1:-1]))

    async with Sandbox(show_prompts=True) as sandbox:
        got = await ask(sandbox, dialect, **body)

    text = CALLS[dialect].text(got.json)
    assert text.startswith(LABEL)
    assert SYSTEM in text
    assert long_prompt in text


async def test_a_rehearsal_is_not_cut_by_max_tokens() -> None:
    async with Sandbox(show_prompts=True) as sandbox:
        got = await ask(sandbox, "anthropic", max_tokens=2)

    assert PROMPT in got.json["content"][0]["text"]
    assert got.json["stop_reason"] == "end_turn"


async def test_a_rehearsal_does_not_repeat_earlier_answers_within_a_prompt() -> None:
    async with Sandbox(show_prompts=True) as sandbox:
        first = (await ask(sandbox, "openai-responses")).json["output"][0]["content"][0]["text"]
        gathered = f"Answers so far:\n\nanalyst: {first}\n\nstrategist: {first}\n\nDecide."
        second = (await ask(sandbox, "openai-responses", input=gathered)).json["output"][0]["content"][0]["text"]

    assert second.count(PROMPT) == 0
    assert len(re.findall(r"(analyst|strategist): \[canned answer of \d+ words\]", second)) == 2
    assert "Decide." in second


@pytest.mark.parametrize(
    ("dialect", "asking_for_json"),
    [
        ("anthropic", {"output_config": {"format": {"type": "json_schema", "schema": {}}}}),
        ("openai-chat", {"response_format": {"type": "json_object"}}),
        ("openai-responses", {"text": {"format": {"type": "json_object"}}}),
        ("gemini", {"generationConfig": {"responseMimeType": "application/json"}}),
    ],
)
async def test_whoever_asks_for_json_gets_json_that_says_it_is_canned(
    dialect: str, asking_for_json: dict[str, Any]
) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, dialect, stream=True, **asking_for_json)

    answer = json.loads(streamed_text(dialect, got))
    assert answer["canned"] == LABEL
    assert PROMPT in answer["text"]


@pytest.mark.parametrize(
    ("dialect", "limit", "stopped"),
    [
        ("anthropic", {"max_tokens": 4}, '"stop_reason":"max_tokens"'),
        ("openai-chat", {"max_tokens": 4}, '"finish_reason":"length"'),
        ("openai-chat", {"max_completion_tokens": 4}, '"finish_reason":"length"'),
        ("openai-responses", {"max_output_tokens": 4}, '"status":"incomplete"'),
        ("gemini", {"generationConfig": {"maxOutputTokens": 4}}, '"finishReason":"MAX_TOKENS"'),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_ends_at_its_limit_of_tokens_but_keeps_its_label(
    dialect: str, limit: dict[str, Any], stopped: str, stream: bool
) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, dialect, stream=stream, **limit)

    text = streamed_text(dialect, got) if stream else CALLS[dialect].text(got.json)
    assert text.startswith(LABEL)
    assert len(text.removeprefix(LABEL).split()) == 3
    assert stopped.encode() in got.body


async def test_what_an_answer_says_after_its_label_can_be_chosen() -> None:
    async with Sandbox(compose=lambda asked: f"{asked.model} says yes") as sandbox:
        got = await ask(sandbox, "anthropic")

    assert got.json["content"][0]["text"] == f"{LABEL} canned says yes"


async def test_anthropic_writes_a_marked_system_prompt_to_its_cache_and_then_reads_it() -> None:
    marked = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    words = len(SYSTEM.split())

    async with Sandbox() as sandbox:
        first = (await ask(sandbox, "anthropic", system=marked)).json["usage"]
        second = (await ask(sandbox, "anthropic", system=marked)).json["usage"]

    assert (first["cache_creation_input_tokens"], first["cache_read_input_tokens"]) == (words, 0)
    assert (second["cache_creation_input_tokens"], second["cache_read_input_tokens"]) == (0, words)
    assert first["input_tokens"] == second["input_tokens"] == len(PROMPT.split())


@pytest.mark.parametrize(
    ("dialect", "system", "cached"),
    [
        ("openai-responses", {"instructions": "word " * 2000}, '"cached_tokens":2007'),
        ("gemini", {"systemInstruction": {"parts": [{"text": "word " * 2000}]}}, '"cachedContentTokenCount":2007'),
    ],
)
async def test_a_long_prompt_is_read_from_the_cache_the_second_time(
    dialect: str, system: dict[str, Any], cached: str
) -> None:
    async with Sandbox() as sandbox:
        first = await ask(sandbox, dialect, **system)
        second = await ask(sandbox, dialect, **system)

    assert cached.encode() not in first.body
    assert cached.encode() in second.body


async def test_chat_streams_count_only_when_asked_to() -> None:
    async with Sandbox() as sandbox:
        without = await ask(sandbox, "openai-chat", stream=True)
        with_usage = await ask(sandbox, "openai-chat", stream=True, stream_options={"include_usage": True})

    assert not any(event.get("usage") for event in without.events)
    assert with_usage.events[-1]["choices"] == []
    assert with_usage.events[-1]["usage"]["total_tokens"] > 0
