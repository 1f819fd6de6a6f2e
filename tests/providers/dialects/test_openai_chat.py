"""OpenAI Chat Completions, and what compatible servers make of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llm_orc.errors import ProviderOverloaded, RateLimited
from llm_orc.net.transport import Answer
from llm_orc.providers.base import ModelRequest, Target
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from tests.providers.dialects.suite import HELLO, DialectSuite, event

STOPS = {"end_turn": "stop", "max_tokens": "length"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **fields: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return event({"id": "c-1", "object": "chat.completion.chunk", "model": "m-1", "choices": choices, **fields})


class TestOpenAIChat(DialectSuite):
    dialect = OpenAIChat()
    provider = "openai-compatible"
    key_header = "Authorization"
    key_scheme = "Bearer"
    own_field = "model"

    def whole(self, text: str, stop: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text or None, "reasoning_content": "hm", "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": STOPS.get(stop, stop)}
        return {"id": "c-1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": USAGE}

    def events(self, texts: list[str], stop: str) -> list[bytes]:
        return [
            chunk({"role": "assistant", "content": ""}, usage=None),
            chunk({"reasoning_content": "hm"}),
            *(chunk({"content": text}) for text in texts),
            chunk({}, STOPS.get(stop, stop)),
            chunk(None, usage=USAGE),
            event("[DONE]"),
        ]

    def refusal(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": None, "refusal": "I'm sorry."}
        return {"id": "c-1", "model": "m-1", "choices": [{"message": message, "finish_reason": "stop"}]}

    def refusal_events(self) -> list[bytes]:
        return [chunk({"content": "I can"}), chunk({}, "content_filter"), event("[DONE]")]

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "some_error", "param": None, "code": None}}

    def error_event(self, message: str) -> bytes:
        return event({"error": {"message": message, "type": "server_error", "code": None}})

    @pytest.mark.parametrize(
        ("provider", "name"), [("openai", "max_completion_tokens"), ("openrouter", "max_tokens")]
    )
    def test_calls_the_limit_by_the_name_that_the_provider_knows(self, provider: str, name: str) -> None:
        request = ModelRequest(HELLO.messages, max_tokens=5)

        body = msgspec.json.decode(self.dialect.encode(request, Target(provider, "m"), stream=False).body)

        assert body[name] == 5

    def test_a_stream_that_stays_open_after_its_finish_reason_is_whole(self) -> None:
        decoder = self.dialect.decoder(Target("p", "m"))

        decoder.feed(chunk({"content": "yes"}) + chunk({}, "stop"))

        assert not decoder.is_over
        assert decoder.finish(Answer(200, {}, broken="reset")).text == "yes"

    def test_keeps_the_cost_that_openrouter_states(self) -> None:
        body = {**self.whole("yes", "end_turn"), "usage": {**USAGE, "cost": 0.00125}}

        reply = self.dialect.read(Answer(200, {}, msgspec.json.encode(body)), Target("p", "m"))

        assert reply.usage.cost_usd == 0.00125

    def test_reads_content_in_parts(self) -> None:
        parts = [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "yes"},
        ]
        body = {"model": "m", "choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}

        assert self.dialect.read(Answer(200, {}, msgspec.json.encode(body)), Target("p", "m")).text == "yes"

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            ({"code": 502, "message": "upstream"}, ProviderOverloaded),
            ({"code": 429, "message": "slow down"}, RateLimited),
            ("out of memory", ProviderOverloaded),
        ],
    )
    def test_finds_an_error_in_an_answer_with_status_200(self, error: object, kind: type[Exception]) -> None:
        with pytest.raises(kind):
            self.dialect.read(Answer(200, {}, msgspec.json.encode({"error": error})), Target("p", "m"))
