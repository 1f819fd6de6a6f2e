"""Anthropic Messages."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from llm_orc.errors import ContentRefused
from llm_orc.net.transport import Answer
from llm_orc.providers.base import ModelRequest, Target, Usage
from llm_orc.providers.dialects.anthropic import Anthropic, default_max_tokens
from tests.providers.dialects.suite import HELLO, DialectSuite, event


def typed(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


class TestAnthropic(DialectSuite):
    dialect = Anthropic()
    provider = "anthropic-api"
    key_header = "x-api-key"
    own_field = "system"
    usage = Usage(input_tokens=10, output_tokens=7, cache_read_tokens=4, cache_write_tokens=1)

    counts: ClassVar = {"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1}

    def whole(self, text: str, stop: str) -> dict[str, Any]:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m-1",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                *([{"type": "text", "text": text, "citations": None}] if text else []),
            ],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {**self.counts, "output_tokens": 7},
        }

    def events(self, texts: list[str], stop: str) -> list[bytes]:
        start = {**self.whole("", stop), "content": [], "stop_reason": None}
        thinking = {"type": "thinking", "thinking": "", "signature": ""}
        return [
            typed("message_start", message={**start, "usage": {**self.counts, "output_tokens": 1}}),
            typed("content_block_start", index=0, content_block=thinking)
            + typed("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
            + typed("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"})
            + typed("content_block_stop", index=0),
            typed("ping"),
            typed("content_block_start", index=1, content_block={"type": "text", "text": ""}),
            *(typed("content_block_delta", index=1, delta={"type": "text_delta", "text": t}) for t in texts),
            typed("content_block_stop", index=1),
            typed("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 7}),
            typed("message_stop"),
        ]

    def refusal(self) -> dict[str, Any]:
        return self.whole("I can", "refusal")

    def refusal_events(self) -> list[bytes]:
        return self.events(["I can"], "refusal")

    def error(self, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "some_error", "message": message}, "request_id": "req_1"}

    def error_event(self, message: str) -> bytes:
        return typed("error", error={"type": "overloaded_error", "message": message})

    def test_asks_for_json_beside_the_system_prompt(self) -> None:
        request = ModelRequest(HELLO.messages, system_prompt="You are terse.", json_output=True)

        body = self.dialect.encode(request, Target("p", "m"), stream=False).body

        assert b'"system":"You are terse.\\n\\nAnswer with one valid JSON document' in body

    @pytest.mark.parametrize(
        ("request_", "version"),
        [
            (HELLO, "2026-10-21"),
            (ModelRequest(HELLO.messages, temperature=0.0), "2023-06-01"),
            (ModelRequest(HELLO.messages, options={"top_k": 3}), "2023-06-01"),
        ],
    )
    def test_falls_back_to_the_version_that_takes_sampling_parameters(
        self, request_: ModelRequest, version: str
    ) -> None:
        headers = self.dialect.encode(request_, Target("p", "m"), stream=False).headers

        assert headers["anthropic-version"] == version

    def test_takes_the_text_that_a_block_begins_with(self) -> None:
        decoder = self.dialect.decoder(Target("p", "m"))
        block = {"type": "text", "text": "be"}
        delta = {"type": "text_delta", "text": "gun"}

        decoder.feed(
            typed("content_block_start", index=0, content_block=block)
            + typed("content_block_delta", index=0, delta=delta)
            + typed("message_stop")
        )

        assert decoder.finish(Answer(200, {})).text == "begun"

    def test_a_refusal_says_why_where_the_provider_does(self) -> None:
        why = {"type": "refusal", "category": "bio", "explanation": "Not this."}
        delta = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": why}
        decoder = self.dialect.decoder(Target("p", "m"))

        decoder.feed(typed("message_delta", delta=delta, usage={"output_tokens": 0}) + typed("message_stop"))

        with pytest.raises(ContentRefused, match="declined to answer: Not this"):
            decoder.finish(Answer(200, {}))

    def test_ignores_events_and_blocks_it_does_not_know(self) -> None:
        decoder = self.dialect.decoder(Target("p", "m"))
        first, *others = self.events(["yes"], "end_turn")

        decoder.feed(first + typed("news_of_2030", message=None, delta=None) + b"".join(others))

        assert decoder.finish(Answer(200, {})).text == "yes"


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-3-opus-20240229", 4096),
        ("claude-3-5-haiku-latest", 8192),
        ("claude-sonnet-5-5", 16384),
        ("anthropic/claude-opus-5", 16384),
        ("glm-6", 8192),
    ],
)
def test_a_model_without_a_limit_gets_one_that_it_allows(model: str, limit: int) -> None:
    assert default_max_tokens(model) == limit
