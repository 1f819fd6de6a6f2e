"""OpenAI's Chat Completions, which most other servers support too: `POST /v1/chat/completions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import (
    ArrivedRequest,
    ChatRequest,
    Rejected,
    schema_in,
    text,
    text_of_message,
    whole_number,
    within,
)
from llm_orc.protocols.dialect import event, halves
from llm_orc.protocols.openai_wire import OpenAiWire, error_object, not_empty, required
from llm_orc.protocols.turns.openai_chat import calls_of, messages_in, tools_in

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply

_FINISH_REASONS = {"end": "stop", "tool": "tool_calls", "max_tokens": "length", "refusal": "stop"}
_JSON_FORMATS = ("json_object", "json_schema")


class OpenAiChatDialect(OpenAiWire):
    name: DialectName = "openai-chat"
    paths: tuple[str, ...] = ("/v1/chat/completions",)

    def read(self, arrived: ArrivedRequest) -> ChatRequest:
        body = arrived.body
        model = text(required(body, "model"))
        messages = required(body, "messages")
        not_empty(messages, "messages")
        system_prompt, said = messages_in(messages)
        return ChatRequest(
            model=model,
            system_prompt=system_prompt or None,
            messages=said,
            stream=body.get("stream") is True,
            max_tokens=whole_number(body.get("max_completion_tokens")) or whole_number(body.get("max_tokens")),
            wants_json=within(body, "response_format", "type") in _JSON_FORMATS,
            schema=schema_in(body, "response_format", "json_schema", "schema"),
            wants_usage=within(body, "stream_options", "include_usage") is True,
            cached_parts=(system_prompt, *map(text_of_message, said)),
            tools=tools_in(body),
        )

    def whole(self, reply: ServedReply) -> JsonValue:
        refused = reply.stop == "refusal"
        message: dict[str, JsonValue] = {
            "role": "assistant",
            "content": None if refused or not reply.tokens else reply.text,
            "refusal": reply.text if refused else None,
            "annotations": [],
        }
        if reply.calls:
            message["tool_calls"] = [*calls_of(reply)]
        choice: JsonValue = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _FINISH_REASONS[reply.stop],
        }
        return {**_head(reply, "chat.completion"), "choices": [choice], "usage": _usage(reply)}

    def opening(self, reply: ServedReply) -> bytes:
        return _chunk(reply, {"role": "assistant", "content": "", "refusal": None})

    def piece(self, reply: ServedReply, index: int) -> bytes:
        return _chunk(reply, {"refusal" if reply.stop == "refusal" else "content": reply.tokens[index]})

    def calls(self, reply: ServedReply) -> bytes:
        chunks = []
        for index, call in enumerate(calls_of(reply)):
            function = call["function"]
            if isinstance(function, dict):
                begun = {**call, "index": index, "function": {**function, "arguments": ""}}
                chunks.append(_chunk(reply, {"tool_calls": [begun]}))
                for piece in halves(text(function["arguments"])):
                    more = {"index": index, "function": {"arguments": piece}}
                    chunks.append(_chunk(reply, {"tool_calls": [more]}))
        return b"".join(chunks)

    def closing(self, reply: ServedReply) -> bytes:
        last = _chunk(reply, {}, _FINISH_REASONS[reply.stop])
        if reply.counts_usage:
            last += event({**_head(reply, "chat.completion.chunk"), "choices": [], "usage": _usage(reply)})
        return last + b"data: [DONE]\n\n"

    def error_event(self, rejected: Rejected, reply: ServedReply) -> bytes:
        return event({"error": error_object(rejected)})


def _head(reply: ServedReply, kind: str) -> dict[str, JsonValue]:
    return {
        "id": f"chatcmpl-sandbox{reply.number:012}",
        "object": kind,
        "created": int(reply.created_at),
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }


def _chunk(reply: ServedReply, delta: JsonValue, finish_reason: str | None = None) -> bytes:
    choice: JsonValue = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    usage: dict[str, JsonValue] = {"usage": None} if reply.counts_usage else {}
    return event({**_head(reply, "chat.completion.chunk"), "choices": [choice], **usage})


def _usage(reply: ServedReply) -> JsonValue:
    usage = reply.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
