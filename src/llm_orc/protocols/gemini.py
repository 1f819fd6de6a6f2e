"""Gemini's `generateContent` and `streamGenerateContent?alt=sse` under `/v1beta/models/` and `/v1/models/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import (
    ArrivedRequest,
    ChatRequest,
    Rejected,
    schema_in,
    text_of,
    text_of_message,
    whole_number,
    within,
)
from llm_orc.protocols.dialect import event
from llm_orc.protocols.turns.gemini import messages_in, parts_of, tools_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply

# https://google.aip.dev/193: the HTTP status and its name
_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_FINISH_REASONS = {"end": "STOP", "tool": "STOP", "max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}


class GeminiDialect:
    name: DialectName = "gemini"
    base_path = ""  # the official SDK adds /v1beta itself
    paths: tuple[str, ...] = (
        "/{version:v1|v1beta}/models/{model:[^/:]+}:{verb:generateContent|streamGenerateContent}",
    )
    not_json = "Invalid JSON payload received."
    overloaded_status = 503

    def read(self, arrived: ArrivedRequest) -> ChatRequest:
        body = arrived.body
        stream = arrived.path_verb == "streamGenerateContent"
        if stream and arrived.query.get("alt") != "sse":
            raise Rejected(400, "The sandbox streams server-sent events only: add `?alt=sse` to the URL.")
        if not body.get("contents"):
            raise Rejected(400, "* GenerateContentRequest.contents: contents is not specified\n")
        config = _either(body, "generationConfig", "generation_config")
        system_prompt = _text(_either(body, "systemInstruction", "system_instruction"))
        messages = messages_in(body["contents"], arrived.path_model)
        return ChatRequest(
            model=arrived.path_model,
            system_prompt=system_prompt or None,
            messages=messages,
            stream=stream,
            max_tokens=whole_number(_either(config, "maxOutputTokens", "max_output_tokens")),
            wants_json=_either(config, "responseMimeType", "response_mime_type") == "application/json",
            schema=schema_in(config, "responseJsonSchema") or schema_in(config, "response_json_schema"),
            cached_parts=(system_prompt, *map(text_of_message, messages)),
            tools=tools_in(body),
        )

    def credential(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-goog-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def wrong_key(self) -> Rejected:
        """Return Google's answer to a wrong key: a 400 whose details give the reason."""
        return Rejected(400, "API key not valid. Please pass a valid API key.", error_code="API_KEY_INVALID")

    def too_long(self, tokens: int, most: int) -> Rejected:
        said = f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({most})."
        return Rejected(400, said)

    def whole(self, reply: ServedReply) -> JsonValue:
        if reply.stop == "refusal":
            return {"promptFeedback": {"blockReason": "SAFETY"}, **_tail(reply)}
        said = [_text_part(reply.text)] if reply.tokens or not reply.calls else []
        whole = _candidate([*said, *parts_of(reply)], _FINISH_REASONS[reply.stop])
        return {"candidates": [whole], **_tail(reply)}

    def opening(self, reply: ServedReply) -> bytes:
        return b""

    def piece(self, reply: ServedReply, index: int) -> bytes:
        return event({"candidates": [_candidate([_text_part(reply.tokens[index])])], **_tail(reply, index + 1)})

    def calls(self, reply: ServedReply) -> bytes:
        parts = [event({"candidates": [_candidate([part])], **_tail(reply)}) for part in parts_of(reply)]
        return b"".join(parts)

    def closing(self, reply: ServedReply) -> bytes:
        return event({"candidates": [_candidate([_text_part("")], _FINISH_REASONS[reply.stop])], **_tail(reply)})

    def error(self, rejected: Rejected, request_id: str) -> JsonValue:
        name = _STATUS_NAMES.get(rejected.status)
        if name is None:
            name = "INTERNAL" if rejected.status >= 500 else "INVALID_ARGUMENT"
        details: list[JsonValue] = []
        if rejected.retry_after_s is not None:
            delay = f"{rejected.retry_after_s:g}s"
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
        if rejected.error_code:
            reason = {"reason": rejected.error_code, "domain": "googleapis.com"}
            details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason})
        error: dict[str, JsonValue] = {"code": rejected.status, "message": rejected.message, "status": name}
        return {"error": error | {"details": details} if details else error}

    def error_event(self, rejected: Rejected, reply: ServedReply) -> bytes:
        return event(self.error(rejected, ""))

    def request_id(self, number: int) -> str:
        return f"sandbox{number:012}"

    def headers(self, request_id: str, now: float, *, exhausted: bool) -> dict[str, str]:
        """Gemini's headers have neither limits nor a request id."""
        return {"server-timing": "gfet4t7; dur=1"}


def _either(value: JsonValue, camel: str, snake: str) -> JsonValue:
    """Return the field under either of its spellings: Google's JSON accepts both."""
    found = within(value, camel)
    return within(value, snake) if found is None else found


def _text(content: JsonValue) -> str:
    return text_of(within(content, "parts"))


def _text_part(said: str) -> JsonValue:
    return {"text": said}


def _candidate(parts: list[JsonValue], finish_reason: str | None = None) -> JsonValue:
    candidate: dict[str, JsonValue] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    return candidate | {"finishReason": finish_reason} if finish_reason else candidate


def _tail(reply: ServedReply, so_far: int | None = None) -> dict[str, JsonValue]:
    usage = reply.usage
    output_tokens = usage.output_tokens if so_far is None else so_far
    counted: dict[str, JsonValue] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": usage.input_tokens + output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
    }
    if usage.cache_read_tokens:
        counted["cachedContentTokenCount"] = usage.cache_read_tokens
    return {
        "usageMetadata": counted,
        "modelVersion": reply.model,
        "responseId": f"sandbox{reply.number:012}",
    }
