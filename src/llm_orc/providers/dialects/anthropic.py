"""Anthropic Messages, `POST /v1/messages` (https://platform.claude.com/docs/en/api/messages)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from llm_orc.net.text import one_line
from llm_orc.providers.base import Reply, Target, Usage
from llm_orc.providers.dialects.answers.anthropic import READ_BLOCK, GrowingBlocks, take_blocks
from llm_orc.providers.dialects.dialect import Dialect, StreamDecoder, WireRequest, decode, excerpt
from llm_orc.providers.dialects.draft import Draft
from llm_orc.providers.dialects.endings import ANTHROPIC
from llm_orc.providers.dialects.tolerant import UNREADABLE, as_object, read
from llm_orc.providers.dialects.turns.anthropic import messages_of, tools_of
from llm_orc.providers.errors.failures import ProviderWords, from_status
from llm_orc.providers.structured.asked import asked_for
from llm_orc.providers.structured.words import with_schema
from llm_orc.providers.usage import added_in, count_in, counted, fields_of, sum_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest

# https://platform.claude.com/docs/en/api/versioning
_VERSION = "2026-10-21"
_SAMPLING_VERSION = "2023-06-01"  # the last one that accepts sampling parameters, for models that still do
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_HEADERS = {"anthropic-version": _VERSION, "content-type": "application/json", "accept": "application/json"}
# An error event in a stream has a type and no status (https://platform.claude.com/docs/en/api/errors).
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


# The API requires a limit: what each generation allows, capped if an answer would take minutes.
_MAX_TOKENS = (
    ("claude-3-5", 8192),
    ("claude-3-7", 16384),
    ("claude-3", 4096),
    ("claude-2", 4096),
    ("claude", 16384),
)


def default_max_tokens(model: str) -> int:
    """The limit for an agent that sets none; other makers' models behind this dialect get 8192."""
    return next((limit for start, limit in _MAX_TOKENS if start in model), 8192)


def _samples(request: ModelRequest) -> bool:
    return request.temperature is not None or not _SAMPLING.isdisjoint(request.options)


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""


class _StopDetails(msgspec.Struct):
    """Why the model refused, if stated."""

    category: str | None = None
    explanation: str | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: msgspec.Raw = msgspec.Raw()


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: _Error


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None


class _Event(msgspec.Struct, gc=False):
    """Any event of a stream; fields that a type lacks stay empty."""

    type: str = ""
    delta: _Delta | None = None
    message: _Message | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


_read_message = msgspec.json.Decoder(_Message, strict=False)
_read_event = msgspec.json.Decoder(_Event, strict=False)
_read_error = msgspec.json.Decoder(_ErrorBody, strict=False)


class Anthropic(Dialect):
    name = "anthropic"
    list_headers: ClassVar[Mapping[str, str]] = {"anthropic-version": _VERSION}

    def encode(self, request: ModelRequest, target: Target, *, stream: bool) -> WireRequest:
        body: dict[str, JsonValue] = {
            "model": target.model,
            "messages": messages_of(request, target),
            "max_tokens": request.max_tokens or default_max_tokens(target.model),
        }
        asked = asked_for(request, target, self.name, "output_config")
        system = asked.system_prompt
        if request.json_output and request.schema is None:  # there is no JSON mode to switch on
            system = with_schema(system, {})
        if asked.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": asked.schema}}
        if system:
            body["system"] = system
        if request.tools:
            body["tools"] = tools_of(request.tools)
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if stream:
            body["stream"] = True
        headers = {**_HEADERS, "anthropic-version": _SAMPLING_VERSION} if _samples(request) else _HEADERS
        sent = self.merge(body, request.options, target)
        enforces = asked.schema is not None
        return WireRequest("/v1/messages", headers, sent, enforces, asked.is_wrapped, bool(request.tools))

    def read(self, answer: Answer, target: Target) -> Reply:
        message = decode(_read_message, answer, target)
        draft = Draft(target, self.name, is_complete=True)
        draft.pieces = [block.text for block in message.content or [] if block.type == "text"]
        if any(block.type == "tool_use" for block in message.content or []):
            take_blocks(draft, as_object(answer.body).get("content"))
        _begin(draft, message)
        return draft.reply(answer)

    def decoder(self, target: Target) -> StreamDecoder[_Event]:
        return _Stream(target)

    def words(self, body: bytes) -> ProviderWords:
        try:
            error = read(_read_error, body).error
        except UNREADABLE:
            return ProviderWords(excerpt(body))
        return _words(error)


class _Stream(StreamDecoder[_Event]):
    __slots__ = ("_blocks",)
    _dialect = "anthropic"
    _read = _read_event

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._blocks = GrowingBlocks()

    def _take(self, draft: Draft, event: _Event) -> bool:
        if event.type == "content_block_delta":
            if event.delta is not None and event.delta.type == "text_delta":
                draft.pieces.append(event.delta.text)
                return False
            return True
        _take_frame(draft, event)
        return event.type == "content_block_start"

    def _more(self, draft: Draft, data: bytes) -> None:
        self._blocks.take(read(READ_BLOCK, data), draft)

    def _gather(self, draft: Draft) -> None:
        self._blocks.gather(draft)


def _take_frame(draft: Draft, event: _Event) -> None:
    """Handle everything but text: a stream has only a few of these."""
    if event.type == "message_start" and event.message is not None:
        _begin(draft, event.message)
    elif event.type == "message_delta":
        if event.delta is not None:
            _stop(draft, event.delta.stop_reason, event.delta.stop_details)
        draft.count(_usage(event.usage, draft.usage))
    elif event.type == "message_stop":
        draft.is_complete = draft.is_over = True
    elif event.type == "error":
        error = event.error or _Error()
        raise from_status(_STATUSES.get(error.type, 500), _words(error), draft.target, {})


def _begin(draft: Draft, message: _Message) -> None:
    draft.model = message.model
    draft.request_id = message.id
    _stop(draft, message.stop_reason, message.stop_details)
    draft.count(_usage(message.usage, Usage()))


def _stop(draft: Draft, reason: str | None, details: _StopDetails | None) -> None:
    if reason is None:
        return
    was_complete = draft.is_complete
    draft.ended(reason, ANTHROPIC)
    draft.is_complete = was_complete  # `message_stop` ends it
    if draft.refusal == "" and details is not None:
        draft.refusal = details.explanation or details.category or ""


def _usage(raw: msgspec.Raw, before: Usage) -> Usage:
    """Return the usage; Anthropic counts cache reads and writes separately from `input_tokens`."""
    fields = fields_of(raw)
    read, written = added_in(fields, "cache_read_input_tokens"), added_in(fields, "cache_creation_input_tokens")
    if read is not None and written is not None:
        read, written = max(read, before.cache_read_tokens), max(written, before.cache_write_tokens)
    return counted(
        sum_of(count_in(fields, "input_tokens"), read, written),
        count_in(fields, "output_tokens"),
        cache_read=read,
        cache_write=written,
        tier=fields.get("service_tier"),
    )


def _words(error: _Error) -> ProviderWords:
    return ProviderWords(one_line(error.message), kind=one_line(error.type, 60))
