"""OpenAI Chat Completions, `POST /chat/completions`, as OpenAI and every compatible server speak it.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.providers.dialects.answers.openai_chat import READ_TURN, ChatTurn
from llm_orc.providers.dialects.dialect import Dialect, StreamDecoder, WireRequest, decode, wants_json
from llm_orc.providers.dialects.draft import Draft
from llm_orc.providers.dialects.endings import CHAT
from llm_orc.providers.dialects.openai_errors import OpenAIError, error_words
from llm_orc.providers.dialects.tolerant import read
from llm_orc.providers.dialects.turns.openai_chat import messages_of, tools_of
from llm_orc.providers.errors.failures import ProviderWords, from_status
from llm_orc.providers.options.request import limit_field
from llm_orc.providers.structured.asked import NAME, asked_for
from llm_orc.providers.usage import believable_usd, count_in, counted, fields_of, plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest, Reply, Target, Usage

_HEADERS = {"content-type": "application/json", "accept": "application/json"}


class _Part(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Message(msgspec.Struct, gc=False):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct, gc=False):
    """`message` in a whole reply, `delta` in a stream."""

    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct, gc=False):
    """A whole reply, or one chunk of a stream."""

    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw()
    service_tier: msgspec.Raw = msgspec.Raw()
    error: OpenAIError | str | None = None


_read = msgspec.json.Decoder(_Completion, strict=False)


class OpenAIChat(Dialect):
    name = "openai-chat"

    def encode(self, request: ModelRequest, target: Target, *, stream: bool) -> WireRequest:
        messages = messages_of(request, target)
        asked = asked_for(request, target, self.name, "response_format")
        system = asked.system_prompt
        if wants_json(request):  # JSON mode is refused unless a message says the word
            system = f"{system}\n\nAnswer in JSON." if system else "Answer in JSON."
        if system:
            messages.insert(0, {"role": "system", "content": system})
        body: dict[str, JsonValue] = {"model": target.model, "messages": messages}
        if request.max_tokens is not None:
            # OpenAI's reasoning models refuse the older name, most compatible servers know no other.
            limit = "max_completion_tokens" if target.provider == DIALECTS[self.name].author else "max_tokens"
            body[limit_field(request.options, limit)] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if asked.schema is not None:
            named: JsonValue = {"name": NAME, "schema": asked.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif request.json_output and request.schema is None:
            body["response_format"] = {"type": "json_object"}
        if request.tools:
            body["tools"] = tools_of(request.tools)
        if stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        sent = self.merge(body, request.options, target)
        enforces = "response_format" in body
        return WireRequest("/chat/completions", _HEADERS, sent, enforces, asked.is_wrapped, bool(request.tools))

    def read(self, answer: Answer, target: Target) -> Reply:
        completion = decode(_read, answer, target)
        draft = Draft(target, self.name)
        _take_completion(draft, completion)
        turn = ChatTurn()
        turn.take(decode(READ_TURN, answer, target))
        turn.gather(draft)
        draft.is_complete = True
        return draft.reply(answer)

    def decoder(self, target: Target) -> StreamDecoder[_Completion]:
        return _Stream(target)

    def words(self, body: bytes) -> ProviderWords:
        return error_words(body)


class _Stream(StreamDecoder[_Completion]):
    __slots__ = ("_turn",)
    _dialect = "openai-chat"
    _read = _read
    # A finish reason ends the answer, but its usage comes after that.
    _over = b"[DONE]"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._turn = ChatTurn()

    def _take(self, draft: Draft, event: _Completion) -> bool:
        return _take_completion(draft, event)

    def _more(self, draft: Draft, data: bytes) -> None:
        self._turn.take(read(READ_TURN, data))

    def _gather(self, draft: Draft) -> None:
        self._turn.gather(draft)


def _take_completion(draft: Draft, completion: _Completion) -> bool:
    has_more = False
    if completion.choices:
        choice = completion.choices[0]
        message = choice.delta or choice.message
        if message is not None:
            if message.content:
                _take_content(draft, message.content)
                has_more = bool(message.tool_calls)
            else:  # reasoning, or a call
                has_more = True
            if message.refusal is not None:
                draft.refusal = (draft.refusal or "") + message.refusal
        draft.ended(choice.finish_reason, CHAT)
    if fields := fields_of(completion.usage):
        draft.count(_usage(fields, plain_value(completion.service_tier)))
    if completion.error is not None:
        error = completion.error
        if isinstance(error, str):
            error = OpenAIError(message=error)
        raise from_status(error.status(), error.words(), draft.target, {})
    if not draft.model:
        draft.model = completion.model or ""
        draft.request_id = completion.id or ""
    return has_more


def _take_content(draft: Draft, content: str | list[_Part]) -> None:
    if isinstance(content, str):
        draft.pieces.append(content)
    else:  # Mistral's reasoning models answer in parts
        draft.pieces.extend(part.text for part in content if part.type == "text" and part.text)


def _usage(fields: Mapping[str, object], tier: object) -> Usage:
    return counted(
        count_in(fields, "prompt_tokens"),
        count_in(fields, "completion_tokens"),
        cache_read=count_in(fields, "prompt_tokens_details", "cached_tokens"),
        cache_write=count_in(fields, "prompt_tokens_details", "cache_write_tokens"),  # OpenRouter
        total=count_in(fields, "total_tokens"),
        cost_usd=believable_usd(fields.get("cost")),  # OpenRouter: what it charged
        tier=tier,
    )
