"""Chat Completions as a server writes them (https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.protocols.openai_chat import OpenAiChatDialect
from llm_orc.server.wire import event

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.server.openai.errors import Failure
    from llm_orc.server.openai.outcome import Outcome, Tokens


class ChatAnswer:
    """One answer of Chat Completions. `created_at` is in Unix seconds."""

    dialect = OpenAiChatDialect()

    def __init__(self, run_id: str, model: str, created_at: float, *, counts_usage: bool) -> None:
        self._id, self._model, self._created = f"chatcmpl-{run_id}", model, int(created_at)
        self._counts_usage = counts_usage

    def whole(self, outcome: Outcome, reasoning: str) -> JsonValue:
        """Return the whole answer as one document."""
        message: dict[str, JsonValue] = {"role": "assistant", "content": outcome.text, "refusal": None}
        if reasoning:
            message["reasoning_content"] = reasoning
        choice: JsonValue = {"index": 0, "message": message, "logprobs": None, "finish_reason": outcome.finish}
        return {**self._head("chat.completion"), "choices": [choice], "usage": _usage(outcome.tokens)}

    def opening(self) -> bytes:
        """Return what a stream begins with."""
        return self._chunk({"role": "assistant", "content": ""})

    def reasoning(self, piece: str) -> bytes:
        return self._chunk({"reasoning_content": piece})

    def text(self, piece: str) -> bytes:
        return self._chunk({"content": piece})

    def closing(self, outcome: Outcome) -> bytes:
        """Return what a stream ends with."""
        last = self._chunk({}, outcome.finish)
        if self._counts_usage:
            usage = _usage(outcome.tokens)
            last += event({**self._head("chat.completion.chunk"), "choices": [], "usage": usage})
        return last + b"data: [DONE]\n\n"

    def failed(self, failure: Failure) -> bytes:
        """Return the end of a stream whose run has failed."""
        return event(failure.document) + b"data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, JsonValue]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}

    def _chunk(self, delta: JsonValue, finish: str | None = None) -> bytes:
        choice: JsonValue = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage: dict[str, JsonValue] = {"usage": None} if self._counts_usage else {}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **usage})


def _usage(tokens: Tokens | None) -> JsonValue:
    if tokens is None:
        return None
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }
