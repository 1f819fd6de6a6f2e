"""Anthropic's Messages API as its reference describes it: `POST /v1/messages`."""

from __future__ import annotations

from datetime import UTC, datetime
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
from llm_orc.protocols.dialect import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, event
from llm_orc.providers.base import Message

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
_STOP_REASONS = {"end": "end_turn", "max_tokens": "max_tokens", "refusal": "refusal"}


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
            messages=_messages(body["messages"]),
            stream=body.get("stream") is True,
            max_tokens=max_tokens,
            wants_json=within(body, "output_config", "format", "type") == "json_schema",
            schema=schema_in(body, "output_config", "format", "schema"),
            cached_parts=_up_to_the_last_mark(body),
        )

    def credential(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def wrong_key(self) -> Rejected:
        return Rejected(401, "invalid x-api-key")

    def too_long(self, tokens: int, most: int) -> Rejected:
        return Rejected(400, f"prompt is too long: {tokens} tokens > {most} maximum")

    def whole(self, reply: ServedReply) -> JsonValue:
        content: list[JsonValue] = [{"type": "text", "text": reply.text}] if reply.tokens else []
        return _message(reply, content, _STOP_REASONS[reply.stop], reply.usage.output_tokens)

    def opening(self, reply: ServedReply) -> bytes:
        return b"".join(
            (
                event({"type": "message_start", "message": _message(reply, [], None, 1)}, "message_start"),
                event(
                    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                    "content_block_start",
                ),
                event({"type": "ping"}, "ping"),
            )
        )

    def piece(self, reply: ServedReply, index: int) -> bytes:
        delta: JsonValue = {"type": "text_delta", "text": reply.tokens[index]}
        return event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")

    def closing(self, reply: ServedReply) -> bytes:
        delta: JsonValue = {
            "stop_reason": _STOP_REASONS[reply.stop],
            "stop_sequence": None,
            "stop_details": _stop_details(reply),
        }
        return b"".join(
            (
                event({"type": "content_block_stop", "index": 0}, "content_block_stop"),
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


def _messages(value: JsonValue) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise Rejected(400, "messages: Input should be a valid list")
    if not value:
        raise Rejected(400, "messages: at least one message is required")
    found: list[Message] = []
    for index, message in enumerate(objects(value)):
        content = text_of(message.get("content"))
        match message.get("role"):
            case "user" | "assistant" as role:
                pass
            case "system":
                raise Rejected(
                    400,
                    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                    'not "system" as an input message role.',
                )
            case _:
                raise Rejected(400, f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if not content.strip():
            raise Rejected(400, f"messages.{index}: all messages must have non-empty content")
        found.append(Message("user" if role == "user" else "assistant", content))
    return tuple(found)


def _up_to_the_last_mark(body: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return the input up to the last mark, which also caches everything before it."""
    blocks: list[Mapping[str, JsonValue]] = []
    for content in (body.get("system"), *(m.get("content") for m in objects(body.get("messages")))):
        blocks += [{"text": content}] if isinstance(content, str) else objects(content)
    marked = [at for at, block in enumerate(blocks, start=1) if _cached(block)]
    return tuple(text(block.get("text")) for block in blocks[: max(marked, default=0)])


def _cached(part: Mapping[str, JsonValue]) -> bool:
    return isinstance(part.get("cache_control"), dict)


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
