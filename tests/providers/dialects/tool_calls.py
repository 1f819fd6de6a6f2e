"""Answers that call tools, in all four protocols, whole and as streams, as providers send them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm_orc.net.transport import Answer
from llm_orc.providers.base import Reply, Target
from llm_orc.providers.dialects.anthropic import Anthropic
from llm_orc.providers.dialects.dialect import Dialect
from llm_orc.providers.dialects.gemini import Gemini
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.dialects.openai_responses import OpenAIResponses
from tests.providers.dialects.suite import event

TARGET = Target("p", "m-1")
DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (Anthropic(), OpenAIChat(), OpenAIResponses(), Gemini())
}


@dataclass(frozen=True)
class Called:
    """One call that the model makes."""

    name: str
    arguments: dict[str, Any]
    id: str


def read(dialect: str, body: dict[str, Any]) -> Reply:
    return DIALECTS[dialect].read(Answer(200, {}, json.dumps(body).encode()), TARGET)


def read_stream(dialect: str, data: bytes, cuts: Sequence[int] = ()) -> Reply:
    """Read a stream that arrives cut at these places."""
    decoder = DIALECTS[dialect].decoder(TARGET)
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    for a, b in itertools.pairwise(places):
        decoder.feed(data[a:b])
    decoder.close()
    return decoder.finish(Answer(200, {}))


def whole(dialect: str, text: str, calls: Sequence[Called]) -> dict[str, Any]:
    """The turn as one body: its text, then the calls, with the reasoning that has to go back."""
    match dialect:
        case "anthropic":
            return _anthropic([*_anthropic_start(text), *map(_tool_use, calls)])
        case "openai-chat":
            message = {"role": "assistant", "content": text or None, "reasoning_content": "hm"}
            return _chat({"message": {**message, "tool_calls": [_chat_call(c) for c in calls]}}, "tool_calls")
        case "openai-responses":
            return _response([*_items_start(text), *(_function_call(c, n) for n, c in enumerate(calls))])
        case _:
            parts: list[dict[str, Any]] = [{"text": text}] if text else []
            return _candidate([*parts, *(_function(c, n) for n, c in enumerate(calls))], "STOP")


def streamed(dialect: str, text: str, calls: Sequence[Called]) -> bytes:
    """The same turn as a stream, in which arguments arrive a few characters at a time."""
    match dialect:
        case "anthropic":
            return b"".join(_anthropic_events(text, calls))
        case "openai-chat":
            return b"".join(_chat_events(text, calls))
        case "openai-responses":
            return b"".join(_response_events(text, calls))
        case _:
            parts: list[dict[str, Any]] = [{"text": piece} for piece in _pieces(text)]
            parts += [_function(call, number) for number, call in enumerate(calls)]
            return b"".join([event(_candidate([part])) for part in parts] + [event(_candidate([], "STOP"))])


def _pieces(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def _typed(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


def _anthropic(content: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {"input_tokens": 5, "output_tokens": 7}
    frame = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "stop_sequence": None}
    return {**frame, "content": content, "stop_reason": "tool_use", "usage": usage}


def _anthropic_start(text: str) -> list[dict[str, Any]]:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    redacted = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
    return [thinking, redacted, *([{"type": "text", "text": text, "citations": None}] if text else [])]


def _tool_use(call: Called) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}


def _anthropic_events(text: str, calls: Sequence[Called]) -> list[bytes]:
    events = [_typed("message_start", message={**_anthropic([]), "stop_reason": None})]
    for index, block in enumerate([*_anthropic_start(text), *map(_tool_use, calls)]):
        begun = dict(block)
        deltas: list[dict[str, Any]] = []
        match block["type"]:
            case "thinking":
                begun |= {"thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in block["thinking"]]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            case "text":
                begun["text"] = ""
                deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
            case "tool_use":
                begun["input"] = {}
                written = json.dumps(block["input"]) if block["input"] else ""
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *_pieces(written)]]
            case _:
                pass
        events.append(_typed("content_block_start", index=index, content_block=begun))
        events += [_typed("content_block_delta", index=index, delta=delta) for delta in deltas]
        events.append(_typed("content_block_stop", index=index))
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    return [*events, _typed("message_delta", delta=end, usage={"output_tokens": 7}), _typed("message_stop")]


def _chat(choice: dict[str, Any], finish: str | None = None, kind: str = "chat.completion") -> dict[str, Any]:
    frame = {"id": "c-1", "object": kind, "created": 1, "model": "m-1"}
    return {**frame, "choices": [{"index": 0, **choice, "finish_reason": finish}]}


def _chat_call(call: Called) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _chat_events(text: str, calls: Sequence[Called]) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, {"reasoning_content": "h"}]
    deltas += [{"reasoning_content": "m"}, *({"content": piece} for piece in _pieces(text))]
    for index, call in enumerate(calls):
        first = {**_chat_call(call), "function": {"name": call.name, "arguments": ""}}
        deltas.append({"tool_calls": [{"index": index, **first}]})
        for piece in _pieces(json.dumps(call.arguments)):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    kind = "chat.completion.chunk"
    chunks = [_chat({"delta": delta}, kind=kind) for delta in deltas]
    return [*map(event, [*chunks, _chat({"delta": {}}, "tool_calls", kind)]), event("[DONE]")]


def _response(output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    frame = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m-1", "parallel_tool_calls": True}
    usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    tools: dict[str, Any] = {"tools": [], "tool_choice": "auto"}
    return {**frame, **tools, "status": status, "output": output, "usage": {**usage, **details}}


def _items_start(text: str) -> list[dict[str, Any]]:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Z0FB"}
    content = [{"type": "output_text", "text": text, "annotations": []}]
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    return [reasoning, *([said] if text else [])]


def _function_call(call: Called, number: int) -> dict[str, Any]:
    arguments = json.dumps(call.arguments)
    frame = {"type": "function_call", "id": f"fc_{number}", "status": "completed"}
    return {**frame, "call_id": call.id, "name": call.name, "arguments": arguments}


def _response_events(text: str, calls: Sequence[Called]) -> list[bytes]:
    items = [*_items_start(text), *(_function_call(call, n) for n, call in enumerate(calls))]
    events: list[dict[str, Any]] = [{"type": "response.created", "response": _response([], "in_progress")}]
    for index, item in enumerate(items):
        place = {"output_index": index, "item_id": item["id"]}
        begun = {**item, "status": "in_progress"} | ({"content": []} if "content" in item else {})
        begun |= {"arguments": ""} if "arguments" in item else {}
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun})
        if item["type"] == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            here = {**place, "content_index": 0}
            events.append({"type": "response.content_part.added", **here, "part": part})
            delta = {"type": "response.output_text.delta", **here, "logprobs": []}
            events += [{**delta, "delta": piece} for piece in _pieces(text)]
        written = {"type": "response.function_call_arguments.delta", **place}
        events += [{**written, "delta": piece} for piece in _pieces(item.get("arguments", ""))]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": _response(items)})
    return [event({**one, "sequence_number": number}, one["type"]) for number, one in enumerate(events)]


def _candidate(parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "m-1", "responseId": "r-1", "usageMetadata": usage}


def _function(call: Called, number: int) -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
    return part if number else {**part, "thoughtSignature": "c2ln"}
