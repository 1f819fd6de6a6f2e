"""OpenAI Responses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llm_orc.errors import ContentRefused, RateLimited
from llm_orc.net.transport import Answer
from llm_orc.providers.base import ModelRequest, Target
from llm_orc.providers.dialects.openai_responses import OpenAIResponses
from tests.providers.dialects.suite import HELLO, DialectSuite, event

USAGE = {"input_tokens": 10, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 4}}


# A status, and why it is `incomplete`.
STOPS: dict[str, tuple[str, str | None]] = {
    "end_turn": ("completed", None),
    "max_tokens": ("incomplete", "max_output_tokens"),
}


def typed(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, "sequence_number": 1, **fields}, kind)


class TestOpenAIResponses(DialectSuite):
    dialect = OpenAIResponses()
    provider = "openai"
    key_header = "Authorization"
    key_scheme = "Bearer"
    own_field = "instructions"

    def whole(self, text: str, stop: str) -> dict[str, Any]:
        content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
        status, reason = STOPS.get(stop) or (stop, None)
        return {
            "id": "resp_1",
            "object": "response",
            "status": status,
            "incomplete_details": {"reason": reason} if reason else None,
            "error": None,
            "model": "m-1",
            "output": [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "role": "assistant", "status": "completed", "content": content},
            ],
            "usage": USAGE,
        }

    def events(self, texts: list[str], stop: str) -> list[bytes]:
        status = self.whole("", stop)["status"]
        end = f"response.{status if status in {'incomplete', 'failed', 'cancelled'} else 'completed'}"
        begun = {**self.whole("", stop), "status": "in_progress", "output": [], "usage": None}
        return [
            typed("response.created", response=begun),
            typed("response.in_progress", response=begun),
            typed("response.reasoning_summary_text.delta", delta="hm"),
            *(typed("response.output_text.delta", item_id="i", delta=text, logprobs=[]) for text in texts),
            typed("response.output_text.done", text="".join(texts)),
            typed(end, response=self.whole("".join(texts), stop)),
        ]

    def refusal(self) -> dict[str, Any]:
        refused = [{"type": "message", "content": [{"type": "refusal", "refusal": "I'm sorry."}]}]
        return {**self.whole("", "end_turn"), "output": refused}

    def refusal_events(self) -> list[bytes]:
        return [
            typed("response.refusal.delta", delta="I'm "),
            typed("response.refusal.delta", delta="sorry."),
            typed("response.completed", response=self.refusal()),
        ]

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "some_error", "param": None, "code": None}}

    def error_event(self, message: str) -> bytes:
        return typed("error", code="server_error", message=message, param=None)

    def test_an_incomplete_answer_that_a_filter_stopped_is_a_refusal(self) -> None:
        body = {**self.whole("I can", "max_tokens"), "incomplete_details": {"reason": "content_filter"}}

        with pytest.raises(ContentRefused, match="content_filter"):
            self.dialect.read(Answer(200, {}, msgspec.json.encode(body)), Target("p", "m"))

    def test_a_failed_response_is_the_error_that_it_names(self) -> None:
        failed = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}
        decoder = self.dialect.decoder(Target("p", "m"))

        with pytest.raises(RateLimited, match="slow down"):
            decoder.feed(typed("response.failed", response=failed))

    def test_leaves_nothing_at_the_provider(self) -> None:
        body = self.dialect.encode(HELLO, Target("p", "m"), stream=False).body

        assert msgspec.json.decode(body)["store"] is False

    def test_says_json_in_the_input_because_instructions_do_not_count(self) -> None:
        request = ModelRequest(HELLO.messages, system_prompt="Answer in JSON.", json_output=True)

        body = msgspec.json.decode(self.dialect.encode(request, Target("p", "m"), stream=False).body)

        assert "JSON" in body["input"][0]["content"]
        assert body["text"] == {"format": {"type": "json_object"}}
