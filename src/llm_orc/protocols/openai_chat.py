"""OpenAI's Chat Completions, which most other servers support too: `POST /v1/chat/completions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import (
    ArrivedRequest,
    ChatRequest,
    Rejected,
    objects,
    schema_in,
    text,
    text_of,
    whole_number,
    within,
)
from llm_orc.protocols.dialect import event
from llm_orc.protocols.openai_wire import OpenAiWire, error_object, not_empty, required
from llm_orc.providers.base import Message

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply

_FINISH_REASONS = {"end": "stop", "max_tokens": "length", "refusal": "stop"}
_INSTRUCTING = ("system", "developer")
_JSON_FORMATS = ("json_object", "json_schema")


class OpenAiChatDialect(OpenAiWire):
    name: DialectName = "openai-chat"
    paths: tuple[str, ...] = ("/v1/chat/completions",)

    def read(self, arrived: ArrivedRequest) -> ChatRequest:
        body = arrived.body
        model = text(required(body, "model"))
        messages = required(body, "messages")
        not_empty(messages, "messages")
        system: list[str] = []
        said: list[Message] = []
        for index, message in enumerate(objects(messages)):
            content = text_of(message.get("content"))
            match message.get("role"):
                case "system" | "developer":
                    system.append(content)
                case "user":
                    said.append(Message("user", content))
                case "assistant":
                    said.append(Message("assistant", content))
                case role:
                    raise Rejected(
                        400,
                        f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', "
                        "'function', 'tool', and 'developer'.",
                        param=f"messages[{index}].role",
                        error_code="invalid_value",
                    )
        return ChatRequest(
            model=model,
            system_prompt="\n".join(system) or None,
            messages=tuple(said),
            stream=body.get("stream") is True,
            max_tokens=whole_number(body.get("max_completion_tokens")) or whole_number(body.get("max_tokens")),
            wants_json=within(body, "response_format", "type") in _JSON_FORMATS,
            schema=schema_in(body, "response_format", "json_schema", "schema"),
            wants_usage=within(body, "stream_options", "include_usage") is True,
            cached_parts=("\n".join(system), *(message.content for message in said)),
        )

    def whole(self, reply: ServedReply) -> JsonValue:
        refused = reply.stop == "refusal"
        message: JsonValue = {
            "role": "assistant",
            "content": None if refused else reply.text,
            "refusal": reply.text if refused else None,
            "annotations": [],
        }
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
