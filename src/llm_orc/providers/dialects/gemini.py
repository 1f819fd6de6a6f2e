"""Google Gemini, `POST /v1beta/models/{model}:generateContent` (https://ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from llm_orc.jsontypes import JsonValue
from llm_orc.net.text import one_line
from llm_orc.providers.dialects.answers.gemini import PartsApart
from llm_orc.providers.dialects.dialect import Dialect, StreamDecoder, WireRequest, decode, excerpt
from llm_orc.providers.dialects.draft import Draft
from llm_orc.providers.dialects.endings import GEMINI
from llm_orc.providers.dialects.tolerant import UNREADABLE, as_object, read
from llm_orc.providers.dialects.turns.gemini import contents_of, tools_of
from llm_orc.providers.errors.failures import ProviderWords, from_status
from llm_orc.providers.structured.asked import asked_for, refuses_with_tools
from llm_orc.providers.structured.words import with_schema
from llm_orc.providers.usage import added_in, count_in, counted, fields_of, sum_of

if TYPE_CHECKING:
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest, Reply, Target, Usage

_HEADERS = {"content-type": "application/json", "accept": "application/json"}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


class _Part(msgspec.Struct, gc=False):
    text: str = ""
    thought: bool = False
    function_call: dict[str, JsonValue] | None = msgspec.field(name="functionCall", default=None)
    thought_signature: JsonValue = msgspec.field(name="thoughtSignature", default=None)


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
        body: dict[str, JsonValue] = {"contents": contents_of(request, target)}
        asked = asked_for(request, target, self.name, "responseJsonSchema")
        system = asked.system_prompt
        is_refused = refuses_with_tools(request, target, self.name)
        if is_refused and request.json_output and request.schema is None:
            system = with_schema(system, {})
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}], "role": "user"}
        if request.tools:
            body["tools"] = tools_of(request.tools)
        generation: dict[str, JsonValue] = {}
        if request.temperature is not None:
            generation["temperature"] = request.temperature
        if request.max_tokens is not None:
            generation["maxOutputTokens"] = request.max_tokens
        if asked.schema is not None or (request.json_output and not is_refused):
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
        path = f"/v1beta/{quote(model)}:{call}"
        return WireRequest(path, _HEADERS, sent, enforces, asked.is_wrapped, bool(request.tools))

    def read(self, answer: Answer, target: Target) -> Reply:
        draft, apart = Draft(target, self.name), PartsApart()
        if _take(draft, decode(_read, answer, target)):
            apart.take(draft, as_object(answer.body))
        apart.gather(draft)
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
    __slots__ = ("_apart",)
    _dialect = "gemini"
    _read = _read  # no event says that it is the last: usage may follow the finish reason

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._apart = PartsApart()

    def _take(self, draft: Draft, event: _Response) -> bool:
        return _take(draft, event)

    def _more(self, draft: Draft, data: bytes) -> None:
        self._apart.take(draft, as_object(data))

    def _gather(self, draft: Draft) -> None:
        self._apart.gather(draft)


def _take(draft: Draft, response: _Response) -> bool:
    if response.error is not None:
        raise from_status(response.error.code or 500, _words(response.error), draft.target, {})
    has_more = False
    if response.candidates:
        has_more = _take_candidate(draft, response.candidates[0])
    feedback = response.prompt_feedback
    if feedback is not None and feedback.block_reason:
        draft.refusal = feedback.block_reason_message or feedback.block_reason
    draft.count(_usage(response.usage_metadata))
    draft.model = response.model_version or draft.model
    draft.request_id = response.response_id or draft.request_id
    return has_more


def _take_candidate(draft: Draft, candidate: _Candidate) -> bool:
    draft.ended(candidate.finish_reason, GEMINI)
    if draft.refusal == "" and candidate.finish_message:
        draft.refusal = candidate.finish_message
    if candidate.content is None or not (parts := candidate.content.parts):
        return False
    has_more = False
    for part in parts:
        if part.text and not part.thought:
            draft.pieces.append(part.text)
            if part.function_call is None and part.thought_signature is None:
                continue
        has_more = True
    return has_more


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
