"""Google Gemini, `POST /v1beta/models/{model}:generateContent` (https://ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from llm_orc.net.text import one_line
from llm_orc.providers.dialects.dialect import Dialect, Draft, StreamDecoder, WireRequest, decode, excerpt
from llm_orc.providers.dialects.endings import GEMINI
from llm_orc.providers.dialects.tolerant import UNREADABLE, read
from llm_orc.providers.errors.failures import ProviderWords, from_status
from llm_orc.providers.structured.asked import asked_for
from llm_orc.providers.usage import added_in, count_in, counted, fields_of, sum_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest, Reply, Target, Usage

_HEADERS = {"content-type": "application/json", "accept": "application/json"}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


class _Part(msgspec.Struct):
    text: str = ""
    thought: bool = False


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finish_reason: str | None = msgspec.field(name="finishReason", default=None)
    finish_message: str | None = msgspec.field(name="finishMessage", default=None)


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class _Detail(msgspec.Struct, rename="camel"):
    retry_delay: str | None = None
    reason: str | None = None


class _Error(msgspec.Struct):
    code: int | None = None
    message: str = ""
    status: str = ""
    details: list[_Detail] | None = None


class _Response(msgspec.Struct, rename="camel"):
    """A whole reply, or one piece of a streamed one."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: msgspec.Raw = msgspec.Raw()
    model_version: str = ""
    response_id: str = ""
    error: _Error | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error


_read = msgspec.json.Decoder(_Response, strict=False)
_read_error = msgspec.json.Decoder(_ErrorBody, strict=False)
_read_errors = msgspec.json.Decoder(list[_ErrorBody], strict=False)


class Gemini(Dialect):
    name = "gemini"

    def encode(self, request: ModelRequest, target: Target, *, stream: bool) -> WireRequest:
        body: dict[str, JsonValue] = {
            "contents": [
                {"role": "model" if m.role == "assistant" else "user", "parts": [{"text": m.content}]}
                for m in request.messages
            ]
        }
        asked = asked_for(request, target, self.name, "responseJsonSchema")
        if asked.system_prompt:
            body["systemInstruction"] = {"parts": [{"text": asked.system_prompt}], "role": "user"}
        generation: dict[str, JsonValue] = {}
        if request.temperature is not None:
            generation["temperature"] = request.temperature
        if request.max_tokens is not None:
            generation["maxOutputTokens"] = request.max_tokens
        if asked.schema is not None or request.json_output:
            generation["responseMimeType"] = "application/json"
        if asked.schema is not None:
            generation["responseJsonSchema"] = asked.schema
        if generation:
            body["generationConfig"] = generation
        call = "streamGenerateContent?alt=sse" if stream else "generateContent"
        model = target.model if "/" in target.model else f"models/{target.model}"
        # Not `v1`: only the beta has the `-latest` names and models in preview.
        enforces = "responseMimeType" in generation and (request.schema is None or asked.schema is not None)
        sent = self.merge(body, request.options, target)
        return WireRequest(f"/v1beta/{quote(model)}:{call}", _HEADERS, sent, enforces, asked.is_wrapped)

    def read(self, answer: Answer, target: Target) -> Reply:
        draft = Draft(target)
        _take(draft, decode(_read, answer, target))
        draft.is_complete = True
        return draft.reply(answer)

    def decoder(self, target: Target) -> StreamDecoder[_Response]:
        return _Stream(target)

    def words(self, body: bytes) -> ProviderWords:
        try:
            # A stream that fails at once returns a list with one error.
            error = read(_read_errors, body)[0].error if body.startswith(b"[") else read(_read_error, body).error
        except (*UNREADABLE, IndexError):
            return ProviderWords(excerpt(body))
        return _words(error)


class _Stream(StreamDecoder[_Response]):
    __slots__ = ()
    _read = _read  # no event says that it is the last: usage may follow the finish reason

    def _take(self, draft: Draft, event: _Response) -> None:
        _take(draft, event)


def _take(draft: Draft, response: _Response) -> None:
    if response.error is not None:
        raise from_status(response.error.code or 500, _words(response.error), draft.target, {})
    if response.candidates:
        _take_candidate(draft, response.candidates[0])
    feedback = response.prompt_feedback
    if feedback is not None and feedback.block_reason:
        draft.refusal = feedback.block_reason_message or feedback.block_reason
    draft.count(_usage(response.usage_metadata))
    draft.model = response.model_version or draft.model
    draft.request_id = response.response_id or draft.request_id


def _take_candidate(draft: Draft, candidate: _Candidate) -> None:
    if candidate.content is not None:
        draft.pieces.extend(p.text for p in candidate.content.parts or [] if p.text and not p.thought)
    draft.ended(candidate.finish_reason, GEMINI)
    if draft.refusal == "" and candidate.finish_message:
        draft.refusal = candidate.finish_message


def _usage(raw: msgspec.Raw) -> Usage:
    """Return the usage; thinking is billed as output and counted separately from the answer."""
    fields = fields_of(raw)
    return counted(
        sum_of(count_in(fields, "promptTokenCount"), added_in(fields, "toolUsePromptTokenCount")),
        sum_of(count_in(fields, "candidatesTokenCount"), added_in(fields, "thoughtsTokenCount")),
        cache_read=count_in(fields, "cachedContentTokenCount"),
        total=count_in(fields, "totalTokenCount"),
    )


def _words(error: _Error) -> ProviderWords:
    delays = [m for d in error.details or [] if d.retry_delay and (m := _SECONDS.fullmatch(d.retry_delay))]
    return ProviderWords(
        one_line(error.message),
        kind=one_line(error.status, 60),
        code=next((one_line(d.reason, 60) for d in error.details or [] if d.reason), ""),
        retry_after_s=float(delays[0][1]) if delays else None,
    )
