"""Anthropic's Messages API as its reference describes it: `POST /v1/messages`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from llm_orc.protocols.chat_request import (
    ArrivedRequest,
    ChatRequest,
    Rejected,
    schema_in,
    text,
    text_of,
    whole_number,
    within,
)
from llm_orc.protocols.dialect import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, event, halves
from llm_orc.protocols.turns.anthropic import (
    THOUGHT,
    blocks_of,
    messages_in,
    thinks,
    tools_in,
    up_to_the_last_mark,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_STOP_REASONS = {"end": "end_turn", "tool": "tool_use", "max_tokens": "max_tokens", "refusal": "refusal"}


class AnthropicDialect:
    name: DialectName = "anthropic"
    base_path = ""  # the official SDK adds /v1 itself
    paths: tuple[str, ...] = ("/v1/messages",)
    not_json = "The request body is not valid JSON."
    overloaded_status = 529

    def read(self, arrived: ArrivedRequest) -> ChatRequest:
        body = arrived.body
        if "anthropic-version" not in arrived.headers:
            raise Rejected(400, "anthropic-version: header is required")
        for name in ("model", "max_tokens", "messages"):
            if name not in body:
                raise Rejected(400, f"{name}: Field required")
        max_tokens = whole_number(body["max_tokens"])
        if max_tokens is None:
            raise Rejected(400, "max_tokens: Input should be a valid integer")
        if max_tokens < 1:
            raise Rejected(400, "max_tokens: Input should be greater than or equal to 1")
        return ChatRequest(
            model=text(body["model"]),
            system_prompt=text_of(body.get("system")) or None,
            messages=messages_in(body),
            stream=body.get("stream") is True,
            max_tokens=max_tokens,
            wants_json=within(body, "output_config", "format", "type") == "json_schema",
            schema=schema_in(body, "output_config", "format", "schema"),
            cached_parts=up_to_the_last_mark(body),
            tools=tools_in(body),
            wants_thoughts=within(body, "thinking", "type") in {"enabled", "adaptive"},
        )

    def credential(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def wrong_key(self) -> Rejected:
        return Rejected(401, "invalid x-api-key")

    def too_long(self, tokens: int, most: int) -> Rejected:
        return Rejected(400, f"prompt is too long: {tokens} tokens > {most} maximum")

    def whole(self, reply: ServedReply) -> JsonValue:
        return _message(reply, blocks_of(reply), _STOP_REASONS[reply.stop], reply.usage.output_tokens)

    def opening(self, reply: ServedReply) -> bytes:
        events = [event({"type": "message_start", "message": _message(reply, [], None, 1)}, "message_start")]
        if thinks(reply):
            events += _block_events(0, THOUGHT)
        if reply.tokens or not reply.calls:
            events.append(_block_start(_text_at(reply), {"type": "text", "text": ""}))
        return b"".join((*events, event({"type": "ping"}, "ping")))

    def piece(self, reply: ServedReply, index: int) -> bytes:
        return _block_delta(_text_at(reply), {"type": "text_delta", "text": reply.tokens[index]})

    def calls(self, reply: ServedReply) -> bytes:
        calls = [block for block in blocks_of(reply) if within(block, "type") == "tool_use"]
        at = _text_at(reply) + bool(reply.tokens)
        events = [_block_stop(_text_at(reply))] if reply.tokens and calls else []
        return b"".join([*events, *(e for n, call in enumerate(calls) for e in _block_events(at + n, call))])

    def closing(self, reply: ServedReply) -> bytes:
        delta: JsonValue = {
            "stop_reason": _STOP_REASONS[reply.stop],
            "stop_sequence": None,
            "stop_details": _stop_details(reply),
        }
        return b"".join(
            (
                b"" if reply.calls else _block_stop(0),
                event(
                    {"type": "message_delta", "delta": delta, "usage": _usage(reply, reply.usage.output_tokens)},
                    "message_delta",
                ),
                event({"type": "message_stop"}, "message_stop"),
            )
        )

    def error(self, rejected: Rejected, request_id: str) -> JsonValue:
        kind = _ERROR_TYPES.get(rejected.status)
        if kind is None:
            kind = "api_error" if rejected.status >= 500 else "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": rejected.message}, "request_id": request_id}

    def error_event(self, rejected: Rejected, reply: ServedReply) -> bytes:
        return event(self.error(rejected, self.request_id(reply.number)), "error")

    def request_id(self, number: int) -> str:
        return f"req_sandbox{number:012}"

    def headers(self, request_id: str, now: float, *, exhausted: bool) -> dict[str, str]:
        reset = datetime.fromtimestamp(int(now) + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers = {"request-id": request_id, "anthropic-organization-id": "llm-orc-sandbox"}
        limits = {
            "requests": REQUESTS_PER_MINUTE,
            "tokens": TOKENS_PER_MINUTE,
            "input-tokens": TOKENS_PER_MINUTE,
            "output-tokens": TOKENS_PER_MINUTE,
        }
        for what, limit in limits.items():
            headers[f"anthropic-ratelimit-{what}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{what}-remaining"] = (
                "0" if exhausted and what == "requests" else str(limit - 1)
            )
            headers[f"anthropic-ratelimit-{what}-reset"] = reset
        return headers


def _text_at(reply: ServedReply) -> int:
    return 1 if thinks(reply) else 0


def _block_start(index: int, block: JsonValue) -> bytes:
    return event({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start")


def _block_delta(index: int, delta: JsonValue) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")


def _block_stop(index: int) -> bytes:
    return event({"type": "content_block_stop", "index": index}, "content_block_stop")


def _block_events(index: int, block: JsonValue) -> list[bytes]:
    """Return a thought or a call as a stream has it."""
    if not isinstance(block, dict):
        return []
    deltas: list[JsonValue]
    if block["type"] == "thinking":
        begun = {**block, "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in halves(text(block["thinking"]))]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        begun = {**block, "input": {}}
        written = msgspec.json.encode(block["input"]).decode()
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *halves(written))]
    return [_block_start(index, begun), *(_block_delta(index, delta) for delta in deltas), _block_stop(index)]


def _message(
    reply: ServedReply, content: list[JsonValue], stop_reason: str | None, output_tokens: int
) -> JsonValue:
    return {
        "id": f"msg_sandbox{reply.number:012}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": _stop_details(reply) if stop_reason else None,
        "usage": _usage(reply, output_tokens),
    }


def _stop_details(reply: ServedReply) -> JsonValue:
    if reply.stop != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": "The llm-orc sandbox was told to refuse."}


def _usage(reply: ServedReply, output_tokens: int) -> JsonValue:
    """Return the usage; unlike in other dialects, `input_tokens` excludes cache reads and writes."""
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
