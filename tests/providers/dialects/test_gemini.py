"""Google Gemini."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llm_orc.errors import ContentRefused
from llm_orc.net.transport import Answer
from llm_orc.providers.base import Message, ModelRequest, Target
from llm_orc.providers.dialects.gemini import Gemini
from tests.providers.dialects.suite import HELLO, DialectSuite, event

STOPS = {"end_turn": "STOP", "max_tokens": "MAX_TOKENS"}
USAGE = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "cachedContentTokenCount": 4,
    "totalTokenCount": 17,
}


def piece(text: str, stop: str | None = None, **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}] if text else []}
    candidate = {"content": content, "index": 0, **({"finishReason": stop} if stop else {})}
    return {
        "candidates": [candidate],
        "modelVersion": "m-1",
        "responseId": "r-1",
        "usageMetadata": USAGE,
        **fields,
    }


class TestGemini(DialectSuite):
    dialect = Gemini()
    provider = "google-gemini"
    key_header = "x-goog-api-key"
    own_field = "contents"
    says_that_it_is_over = False

    def whole(self, text: str, stop: str) -> dict[str, Any]:
        reply = piece(text, STOPS.get(stop, stop))
        reply["candidates"][0]["content"]["parts"].insert(0, {"text": "hm", "thought": True})
        return reply

    def events(self, texts: list[str], stop: str) -> list[bytes]:
        thought = {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]}
        *others, last = texts
        return [
            event(thought),
            *(event(piece(text)) for text in others),
            event(piece("")),
            event(piece(last, STOPS.get(stop, stop))),
        ]

    def refusal(self) -> dict[str, Any]:
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": USAGE}

    def refusal_events(self) -> list[bytes]:
        return [event(piece("I can")), event(piece("", "SAFETY"))]

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"code": 400, "message": message, "status": "SOME_ERROR"}}

    def error_event(self, message: str) -> bytes:
        return event({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}})

    @pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"])
    def test_an_answer_that_a_filter_stopped_is_a_refusal(self, reason: str) -> None:
        body = msgspec.json.encode(piece("I can", reason))

        with pytest.raises(ContentRefused, match=reason):
            self.dialect.read(Answer(200, {}, body), Target("p", "m"))

    @pytest.mark.parametrize(
        ("model", "path"),
        [
            ("gemini-x", "/v1beta/models/gemini-x:generateContent"),
            ("tunedModels/mine", "/v1beta/tunedModels/mine:generateContent"),
            ("a?key=b#c d", "/v1beta/models/a%3Fkey%3Db%23c%20d:generateContent"),
        ],
    )
    def test_puts_the_model_into_the_path(self, model: str, path: str) -> None:
        assert self.dialect.encode(HELLO, Target("p", model), stream=False).path == path

    def test_keeps_what_options_leave_of_the_generation_config(self) -> None:
        request = ModelRequest(
            (Message("user", "a"),), temperature=0.5, options={"generationConfig": {"topK": 3, "seed": 1}}
        )

        body = msgspec.json.decode(self.dialect.encode(request, Target("p", "m"), stream=False).body)

        assert body["generationConfig"] == {"temperature": 0.5, "topK": 3, "seed": 1}

    def test_reads_how_long_to_wait_from_an_error_s_details(self) -> None:
        details = [{"@type": "QuotaFailure"}, {"@type": "RetryInfo", "retryDelay": "39.5s"}]
        error = {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}}

        assert self.dialect.words(msgspec.json.encode(error)).retry_after_s == 39.5
        assert self.dialect.words(msgspec.json.encode([error])).retry_after_s == 39.5
