"""Turns and tools for OpenAI Chat Completions (https://platform.openai.com/docs/guides/function-calling)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.net.text import one_line
from llm_orc.providers.dialects.attachments import data_url, refuse_files
from llm_orc.providers.dialects.calls import fitted, result_text, written_arguments
from llm_orc.providers.dialects.turns.openai import said_to_model
from llm_orc.providers.structured.parameters import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message, ModelRequest, Target
    from llm_orc.providers.parts import Attachment, ToolAnswer, ToolOffer


def tools_of(tools: Sequence[ToolOffer]) -> list[JsonValue]:
    """Return the tools of a request."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": parameters_of(tool),
            },
        }
        for tool in tools
    ]


def messages_of(request: ModelRequest, target: Target) -> list[JsonValue]:
    """Return the turns; the results of calls are messages of their own."""
    refuse_files(request, "openai-chat", target)
    turns = fitted(request.messages, "openai-chat", target)
    return [message for turn in turns for message in _messages(turn)]


def _messages(turn: Message) -> Iterator[JsonValue]:
    if turn.calls:
        yield _answer(turn)
        return
    yield from said_to_model(turn, _result, _text, _file)


def _result(result: ToolAnswer) -> JsonValue:
    said = result_text(result.text, is_error=result.is_error)
    return {"role": "tool", "tool_call_id": result.id, "content": said}


def _text(text: str) -> JsonValue:
    return {"type": "text", "text": text}


def _file(file: Attachment) -> JsonValue:
    if file.kind == "image":
        return {"type": "image_url", "image_url": {"url": data_url(file)}}
    return {"type": "file", "file": {"filename": one_line(file.name, 200), "file_data": data_url(file)}}


def _answer(turn: Message) -> JsonValue:
    """Return a turn with calls; what only its provider understands is beside them, as it was."""
    extras, of_calls = _extras(turn)
    calls: list[JsonValue] = []
    for number, call in enumerate(turn.calls):
        function: JsonValue = {"name": call.name, "arguments": written_arguments(call)}
        extra = of_calls[number] if number < len(of_calls) else None
        more = extra if isinstance(extra, dict) else {}
        calls.append({"id": call.id, "type": "function", "function": function, **more})
    return {"role": "assistant", "content": turn.content or None, **extras, "tool_calls": calls}


def _extras(turn: Message) -> tuple[dict[str, JsonValue], list[JsonValue]]:
    own = turn.own.blocks[0] if turn.own is not None and turn.own.blocks else None
    if not isinstance(own, dict):
        return {}, []
    of_calls = own.get("tool_calls")
    extras = {name: value for name, value in own.items() if name != "tool_calls"}
    return extras, of_calls if isinstance(of_calls, list) else []
