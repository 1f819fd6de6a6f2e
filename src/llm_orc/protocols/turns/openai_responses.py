"""Items of OpenAI Responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import JsonObject, Rejected, objects, text, text_of, within
from llm_orc.protocols.turns.parts import call_of, file_in_url, offer, offers_are_unique, unanswered
from llm_orc.providers.base import Message
from llm_orc.providers.parts import OwnBlocks, ToolAnswer

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply
    from llm_orc.providers.parts import Attachment, ToolOffer

_ENCRYPTED = "c2FuZGJveA=="
_ASKED = "reasoning.encrypted_content"


def tools_in(body: JsonObject) -> tuple[ToolOffer, ...]:
    """Return the client's tools; those that the provider runs have another type."""
    own = [tool for tool in objects(body.get("tools")) if tool.get("type") == "function"]
    return offers_are_unique([offer(tool, "parameters") for tool in own])


def wants_reasoning(body: JsonObject) -> bool:
    """Whether the client can keep the model's reasoning."""
    included = body.get("include")
    return isinstance(included, list) and _ASKED in included


def items_in(body: JsonObject) -> tuple[str, tuple[Message, ...]]:
    """Return the system prompt and the turns. Raises `Rejected` in the provider's words."""
    given = body.get("input")
    system = [text(body.get("instructions"))]
    said = [Message("user", given)] if isinstance(given, str) else []
    own: list[JsonValue] = []
    for item in objects(given):
        content = item.get("content")
        match (item.get("type"), item.get("role")):
            case ("reasoning", _):
                if not item.get("encrypted_content"):
                    raise Rejected(404, f"Item with id '{item.get('id')}' not found. Items are not persisted.")
                own.append(item)
            case ("function_call", _):
                own.append(item)
                call = call_of(item.get("call_id"), item.get("name"), text(item.get("arguments")))
                before = said.pop() if said and said[-1].role == "assistant" else Message("assistant", "")
                blocks = OwnBlocks("openai-responses", tuple(own))
                said.append(Message("assistant", before.content, calls=(*before.calls, call), own=blocks))
            case ("function_call_output", _):
                own = []
                result = ToolAnswer(text(item.get("call_id")), "", text_of(item.get("output")))
                before = said.pop() if said and said[-1].results else Message("user", "")
                said.append(Message("user", "", results=(*before.results, result)))
            case (_, "system" | "developer"):
                system.append(text_of(content))
            case (_, "assistant"):
                own.append(item)
                said.append(Message("assistant", text_of(content)))
            case _:
                own = []
                said.append(Message("user", text_of(content), attachments=_files(content)))
    if wrong := unanswered(said):
        raise Rejected(400, f"No tool output found for function call {', '.join(wrong)}.", param="input")
    return "\n".join(filter(None, system)), tuple(said)


def _files(content: JsonValue) -> tuple[Attachment, ...]:
    found = []
    for part in objects(content):
        if part.get("type") == "input_image":
            found.append(file_in_url("", within(part, "image_url")))
        elif part.get("type") == "input_file":
            found.append(file_in_url(within(part, "filename"), within(part, "file_data")))
    return tuple(found)


def call_items_of(reply: ServedReply) -> list[JsonObject]:
    """Return the calls of an answer, with the reasoning before them if the client can keep it."""
    number = f"{reply.number:012}"
    reasoning: JsonObject = {
        "type": "reasoning",
        "id": f"rs_sandbox{number}",
        "summary": [],
        "encrypted_content": _ENCRYPTED,
    }
    calls: list[JsonObject] = [
        {
            "type": "function_call",
            "id": f"fc_sandbox{number}_{index}",
            "call_id": call.id,
            "name": call.name,
            "arguments": json.dumps(call.arguments or {}),
            "status": "completed",
        }
        for index, call in enumerate(reply.calls)
    ]
    return [*([reasoning] if calls and reply.thinks else []), *calls]
