"""Turns and tools for Gemini (https://ai.google.dev/gemini-api/docs/function-calling, …/thought-signatures)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.providers.dialects.attachments import base64_of, parts_of, refuse_files
from llm_orc.providers.dialects.calls import arguments_of, fitted
from llm_orc.providers.structured.parameters import parameters_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message, ModelRequest, Target
    from llm_orc.providers.parts import Attachment, ToolAnswer, ToolOffer

_UNSIGNED = re.compile(r"gemini-[12]\b|gemma")  # models that ask for no signature
_STAND_IN = "skip_thought_signature_validator"  # Google's own word for a call that another model made


def tools_of(tools: Sequence[ToolOffer]) -> list[JsonValue]:
    """Return the tools of a request."""
    declarations: list[JsonValue] = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": parameters_of(tool)}
        for tool in tools
    ]
    return [{"functionDeclarations": declarations}]


def contents_of(request: ModelRequest, target: Target) -> list[JsonValue]:
    """Return the turns. The id of a call goes back only if Google gave one."""
    refuse_files(request, "gemini", target)
    contents: list[JsonValue] = []
    named: list[JsonValue] = []
    for turn in fitted(request.messages, "gemini", target):
        if turn.calls:
            parts = _own(turn) or _rebuilt(turn, target.model)
            named = [call.get("id") for call in map(_call_in, parts) if call is not None]
        else:
            parts = [_result(result, named) for result in turn.results]
            parts += parts_of(turn.attachments, _text, _file)
            if turn.content or not parts:
                parts.append(_text(turn.content))
        contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    return contents


def _text(text: str) -> JsonValue:
    return {"text": text}


def _file(file: Attachment) -> JsonValue:
    return {"inlineData": {"mimeType": file.media_type, "data": base64_of(file)}}


def _own(turn: Message) -> list[JsonValue]:
    parts = [part for part in (turn.own.blocks if turn.own is not None else ()) if part != {"text": ""}]
    names = [call.get("name") for call in map(_call_in, parts) if call is not None]
    return parts if names == [call.name for call in turn.calls] else []


def _rebuilt(turn: Message, model: str) -> list[JsonValue]:
    parts: list[JsonValue] = [{"text": turn.content}] if turn.content else []
    signed: dict[str, JsonValue] = {} if _UNSIGNED.search(model) else {"thoughtSignature": _STAND_IN}
    for call in turn.calls:
        parts.append({"functionCall": {"id": call.id, "name": call.name, "args": arguments_of(call)}, **signed})
        signed = {}
    return parts


def _call_in(part: JsonValue) -> dict[str, JsonValue] | None:
    call = part.get("functionCall") if isinstance(part, dict) else None
    return call if isinstance(call, dict) else None


def _result(result: ToolAnswer, named: list[JsonValue]) -> JsonValue:
    said: JsonValue = {"error" if result.is_error else "output": result.text}
    response: dict[str, JsonValue] = {"name": result.name, "response": said}
    return {"functionResponse": {"id": result.id, **response} if result.id in named else response}
