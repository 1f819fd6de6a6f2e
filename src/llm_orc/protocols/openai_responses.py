"""OpenAI's Responses API: `POST /v1/responses`."""

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
from llm_orc.protocols.turns.openai_responses import call_items_of, items_in, tools_in, wants_reasoning

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply

_JSON_FORMATS = ("json_object", "json_schema")
_EVENTS_BEFORE_TEXT = 4
_EVENTS_AFTER_TEXT = 3


class OpenAiResponsesDialect(OpenAiWire):
    name: DialectName = "openai-responses"
    paths: tuple[str, ...] = ("/v1/responses",)

    def read(self, arrived: ArrivedRequest) -> ChatRequest:
        body = arrived.body
        model = text(required(body, "model"))
        given = required(body, "input")
        not_empty(given, "input")
        system_prompt, said = items_in(body)
        return ChatRequest(
            model=model,
            system_prompt=system_prompt or None,
            messages=said,
            stream=body.get("stream") is True,
            max_tokens=whole_number(body.get("max_output_tokens")),
            wants_json=within(body, "text", "format", "type") in _JSON_FORMATS,
            schema=schema_in(body, "text", "format", "schema"),
            cached_parts=(system_prompt, *map(text_of_message, said)),
            tools=tools_in(body),
            wants_thoughts=wants_reasoning(body),
        )

    def whole(self, reply: ServedReply) -> JsonValue:
        return _response(reply, _status(reply), _output(reply))

    def opening(self, reply: ServedReply) -> bytes:
        begun = _response(reply, "in_progress", [])
        events = [
            _numbered(0, "response.created", {"response": begun}),
            _numbered(1, "response.in_progress", {"response": begun}),
        ]
        if _has_text(reply):
            events += [
                _numbered(2, "response.output_item.added", {"output_index": 0, "item": _item(reply, None)}),
                _numbered(3, "response.content_part.added", {**_place(reply), "part": _part(reply, "")}),
            ]
        return b"".join(events)

    def piece(self, reply: ServedReply, index: int) -> bytes:
        rest: dict[str, JsonValue] = {} if reply.stop == "refusal" else {"logprobs": []}
        return _numbered(
            _EVENTS_BEFORE_TEXT + index,
            f"response.{_kind(reply)}.delta",
            {**_place(reply), "delta": reply.tokens[index], **rest},
        )

    def calls(self, reply: ServedReply) -> bytes:
        number = _EVENTS_BEFORE_TEXT + len(reply.tokens) + _EVENTS_AFTER_TEXT
        events = [_text_done(reply)] if reply.calls and reply.tokens else []
        for index, item in enumerate(call_items_of(reply), start=1 if reply.tokens else 0):
            place: dict[str, JsonValue] = {"output_index": index}
            written = text(item.get("arguments"))
            begun = {**item, "status": "in_progress", "arguments": ""} if written else item
            events.append(_numbered(number, "response.output_item.added", {**place, "item": begun}))
            for piece in halves(written) if written else ():
                number += 1
                delta: dict[str, JsonValue] = {**place, "item_id": item["id"], "delta": piece}
                events.append(_numbered(number, "response.function_call_arguments.delta", delta))
            events.append(_numbered(number + 1, "response.output_item.done", {**place, "item": item}))
            number += 2
        return b"".join(events)

    def closing(self, reply: ServedReply) -> bytes:
        number = _EVENTS_BEFORE_TEXT + len(reply.tokens) + _EVENTS_AFTER_TEXT + 4 * len(call_items_of(reply))
        end = _response(reply, _status(reply), _output(reply))
        return (b"" if reply.calls else _text_done(reply)) + _numbered(
            number, f"response.{_status(reply)}", {"response": end}
        )

    def error_event(self, rejected: Rejected, reply: ServedReply) -> bytes:
        """Send the error inside `error`, as the service does; its reference shows the fields beside `type`.

        An error with a code of its own ends the response as failed instead.
        """
        if rejected.error_code is not None:
            failed = {**_response(reply, "failed", []), "error": error_object(rejected)}
            return _numbered(_EVENTS_BEFORE_TEXT + len(reply.tokens), "response.failed", {"response": failed})
        return _numbered(_EVENTS_BEFORE_TEXT + len(reply.tokens), "error", {"error": error_object(rejected)})


def _has_text(reply: ServedReply) -> bool:
    return bool(reply.tokens) or not reply.calls


def _output(reply: ServedReply) -> list[JsonValue]:
    said = [_item(reply, [_part(reply, reply.text)])] if _has_text(reply) else []
    return [*said, *call_items_of(reply)]


def _text_done(reply: ServedReply) -> bytes:
    number = _EVENTS_BEFORE_TEXT + len(reply.tokens)
    part = _part(reply, reply.text)
    done: dict[str, JsonValue] = (
        {"refusal": reply.text} if reply.stop == "refusal" else {"text": reply.text, "logprobs": []}
    )
    item: dict[str, JsonValue] = {"output_index": 0, "item": _item(reply, [part])}
    return b"".join(
        (
            _numbered(number, f"response.{_kind(reply)}.done", {**_place(reply), **done}),
            _numbered(number + 1, "response.content_part.done", {**_place(reply), "part": part}),
            _numbered(number + 2, "response.output_item.done", item),
        )
    )


def _kind(reply: ServedReply) -> str:
    return "refusal" if reply.stop == "refusal" else "output_text"


def _status(reply: ServedReply) -> str:
    return "incomplete" if reply.stop == "max_tokens" else "completed"


def _numbered(number: int, kind: str, rest: dict[str, JsonValue]) -> bytes:
    return event({"type": kind, "sequence_number": number, **rest}, kind)


def _place(reply: ServedReply) -> dict[str, JsonValue]:
    return {"item_id": _item_id(reply), "output_index": 0, "content_index": 0}


def _item_id(reply: ServedReply) -> str:
    return f"msg_sandbox{reply.number:012}"


def _part(reply: ServedReply, said: str) -> JsonValue:
    if reply.stop == "refusal":
        return {"type": "refusal", "refusal": said}
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []}


def _item(reply: ServedReply, content: list[JsonValue] | None) -> JsonValue:
    status = "in_progress" if content is None else _status(reply)
    return {
        "id": _item_id(reply),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content or [],
    }


def _response(reply: ServedReply, status: str, output: list[JsonValue]) -> dict[str, JsonValue]:
    return {
        "id": f"resp_sandbox{reply.number:012}",
        "object": "response",
        "created_at": int(reply.created_at),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if status == "in_progress" else _usage(reply),
        "metadata": {},
    }


def _usage(reply: ServedReply) -> JsonValue:
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
