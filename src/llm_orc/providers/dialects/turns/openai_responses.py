"""Turns and tools for OpenAI Responses (https://platform.openai.com/docs/guides/reasoning#keeping-reasoning-items)."""

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
    """Return the tools of a request. Without `strict` the API would change the schema into one of its subset."""
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": parameters_of(tool),
            "strict": False,
        }
        for tool in tools
    ]


def items_of(request: ModelRequest, target: Target) -> list[JsonValue]:
    """Return the turns; calls and their results are items of their own."""
    refuse_files(request, "openai-responses", target)
    turns = fitted(request.messages, "openai-responses", target)
    return [item for turn in turns for item in _items(turn)]


def _items(turn: Message) -> Iterator[JsonValue]:
    if turn.calls:
        yield from _answer(turn)
        return
    yield from said_to_model(turn, _result, _text, _file)


def _result(result: ToolAnswer) -> JsonValue:
    said = result_text(result.text, is_error=result.is_error)
    return {"type": "function_call_output", "call_id": result.id, "output": said}


def _text(text: str) -> JsonValue:
    return {"type": "input_text", "text": text}


def _file(file: Attachment) -> JsonValue:
    if file.kind == "image":
        return {"type": "input_image", "image_url": data_url(file), "detail": "auto"}
    return {"type": "input_file", "filename": one_line(file.name, 200), "file_data": data_url(file)}


def _answer(turn: Message) -> Iterator[JsonValue]:
    own = [item for item in (turn.own.blocks if turn.own is not None else ()) if isinstance(item, dict)]
    if [item.get("call_id") for item in own if item.get("type") == "function_call"] == [c.id for c in turn.calls]:
        yield from _own(own)
        return
    if turn.content:
        yield {"role": "assistant", "content": turn.content}
    for call in turn.calls:
        arguments = written_arguments(call)
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}


def _own(items: Sequence[dict[str, JsonValue]]) -> Iterator[JsonValue]:
    """Reasoning goes back only if it is there: nothing is stored, so its id alone says nothing.

    An item with an id asks for the reasoning that came with it.
    """
    kept = [item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content")]
    if len(kept) == len(items):
        yield from kept
        return
    for item in kept:
        yield {name: value for name, value in item.items() if name != "id"}
