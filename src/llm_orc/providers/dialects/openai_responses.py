"""OpenAI Responses, `POST /responses` (https://platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.providers.dialects.answers.openai_responses import ITEM_EVENTS, READ_ITEM, GrowingItems, take_items
from llm_orc.providers.dialects.dialect import Dialect, StreamDecoder, WireRequest, decode
from llm_orc.providers.dialects.draft import Draft
from llm_orc.providers.dialects.endings import RESPONSES
from llm_orc.providers.dialects.openai_errors import OpenAIError, error_words
from llm_orc.providers.dialects.tolerant import as_object, read
from llm_orc.providers.dialects.turns.openai_responses import items_of, tools_of
from llm_orc.providers.errors.failures import ProviderWords, from_status
from llm_orc.providers.structured.asked import NAME, asked_for
from llm_orc.providers.usage import count_in, counted, fields_of, plain_value

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest, Reply, Target, Usage

_HEADERS = {"content-type": "application/json", "accept": "application/json"}
_NO_REASONING = re.compile(r"gpt-[34]|chatgpt-4")  # models that would refuse to be asked for it
_ENDS = frozenset(f"response.{word}" for word in ("completed", "incomplete", "failed", "cancelled"))


class _Content(msgspec.Struct):
    type: str = ""
    text: str = ""
    refusal: str | None = None


class _Item(msgspec.Struct):
    """One output item; only a `message` has content for the reader."""

    type: str = ""
    content: list[_Content] | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    status: str | None = None
    id: str = ""
    model: str = ""
    output: list[_Item] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    service_tier: msgspec.Raw = msgspec.Raw()
    incomplete_details: _Incomplete | None = None
    error: OpenAIError | None = None

    def has_calls(self) -> bool:
        """Whether there is a call of a tool among the items."""
        return any(item.type == "function_call" for item in self.output or [])


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: str | msgspec.Raw | None = None
    response: _Response | None = None
    error: OpenAIError | None = None
    message: str | None = None  # an `error` event is its own error object
    code: str | int | None = None
    param: str | None = None


_read_response = msgspec.json.Decoder(_Response, strict=False)
_read_event = msgspec.json.Decoder(_Event, strict=False)


class OpenAIResponses(Dialect):
    name = "openai-responses"

    def encode(self, request: ModelRequest, target: Target, *, stream: bool) -> WireRequest:
        messages = items_of(request, target)
        asked = asked_for(request, target, self.name, "text")
        is_json_mode = request.json_output and request.schema is None
        if is_json_mode and not any("json" in m.content.lower() for m in request.messages):
            # JSON mode is refused unless the input, not only the instructions, says the word.
            messages.insert(0, {"role": "developer", "content": "Answer in JSON."})
        body: dict[str, JsonValue] = {"model": target.model, "input": messages, "store": False}
        if asked.system_prompt:
            body["instructions"] = asked.system_prompt
        if request.tools:
            body["tools"] = tools_of(request.tools)
        if target.calls.caches_by_key or target.provider == DIALECTS[self.name].author:
            body |= _of_openai(request, target)
        if request.max_tokens is not None:
            body["max_output_tokens"] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if asked.schema is not None:
            body["text"] = {
                "format": {"type": "json_schema", "name": NAME, "schema": asked.schema, "strict": True}
            }
        elif is_json_mode:
            body["text"] = {"format": {"type": "json_object"}}
        if stream:
            body["stream"] = True
        sent = self.merge(body, request.options, target)
        return WireRequest("/responses", _HEADERS, sent, "text" in body, asked.is_wrapped, bool(request.tools))

    def read(self, answer: Answer, target: Target) -> Reply:
        response = decode(_read_response, answer, target)
        draft = Draft(target, self.name)
        _finish(draft, response, response.status)
        if response.has_calls():
            take_items(draft, as_object(answer.body).get("output"))
        return draft.reply(answer)

    def decoder(self, target: Target) -> StreamDecoder[_Event]:
        return _Stream(target)

    def words(self, body: bytes) -> ProviderWords:
        return error_words(body)


def _of_openai(request: ModelRequest, target: Target) -> dict[str, JsonValue]:
    """Return the fields that other servers may refuse."""
    fields: dict[str, JsonValue] = {}
    if request.tools and not _NO_REASONING.search(target.model):
        # Nothing is stored at the provider, so the model's reasoning goes back to it with the results.
        fields["include"] = ["reasoning.encrypted_content"]
    if request.conversation is not None:
        # Routes the turns of one conversation to the machine that has its prefix in the cache.
        fields["prompt_cache_key"] = sha256(request.conversation.encode()).hexdigest()[:32]
    return fields


class _Stream(StreamDecoder[_Event]):
    __slots__ = ("_items",)
    _dialect = "openai-responses"
    _read = _read_event

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._items = GrowingItems()

    def _take(self, draft: Draft, event: _Event) -> bool:
        if event.type == "response.output_text.delta":
            if isinstance(event.delta, str):
                draft.pieces.append(event.delta)
        elif event.type == "response.refusal.delta":
            if isinstance(event.delta, str):
                draft.refusal = (draft.refusal or "") + event.delta
        elif event.type in _ENDS:
            response = event.response or _Response()
            end = event.type.removeprefix("response.")  # the event and the status must both say `completed`
            _finish(draft, response, (response.status or end) if end == "completed" else end)
            draft.is_over = True
            return response.has_calls()
        elif event.type == "error":
            error = event.error or OpenAIError(message=event.message, code=event.code, param=event.param)
            raise from_status(error.status(), error.words(), draft.target, {})
        else:
            return event.type in ITEM_EVENTS
        return False

    def _more(self, draft: Draft, data: bytes) -> None:
        self._items.take(read(READ_ITEM, data))

    def _gather(self, draft: Draft) -> None:
        self._items.gather(draft)


def _finish(draft: Draft, response: _Response, status: str | None) -> None:
    draft.model = response.model
    draft.request_id = response.id
    if not draft.pieces:
        draft.pieces += _texts(response)
    draft.count(_usage(response.usage, plain_value(response.service_tier)))
    if status == "failed" or (response.error is not None and status is None):
        error = response.error or OpenAIError(message="the response failed")
        raise from_status(error.status(), error.words(), draft.target, {})
    draft.ended(status, RESPONSES)
    draft.is_complete = True
    if status == "incomplete":
        draft.ended((response.incomplete_details or _Incomplete()).reason, RESPONSES)
        if draft.meaning in {"other", "end_turn"}:
            draft.meaning = "cut"
    if draft.refusal is None:
        draft.refusal = _refusal(response)


def _texts(response: _Response) -> list[str]:
    return [
        content.text
        for item in response.output or []
        if item.type == "message"
        for content in item.content or []
        if content.type == "output_text"
    ]


def _refusal(response: _Response) -> str | None:
    for item in response.output or []:
        for content in item.content or []:
            if content.type == "refusal":
                return content.refusal or ""
    return None


def _usage(raw: msgspec.Raw, tier: object) -> Usage:
    fields = fields_of(raw)
    return counted(
        count_in(fields, "input_tokens"),
        count_in(fields, "output_tokens"),
        cache_read=count_in(fields, "input_tokens_details", "cached_tokens"),
        total=count_in(fields, "total_tokens"),
        tier=tier,
    )
