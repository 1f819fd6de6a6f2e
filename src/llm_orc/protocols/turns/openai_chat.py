"""Turns of OpenAI Chat Completions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import JsonObject, Rejected, objects, text, text_of, within
from llm_orc.protocols.turns.parts import call_of, file_in_url, offer, offers_are_unique, unanswered
from llm_orc.providers.base import Message
from llm_orc.providers.parts import ToolAnswer

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply
    from llm_orc.providers.parts import Attachment, ToolCall, ToolOffer


def tools_in(body: JsonObject) -> tuple[ToolOffer, ...]:
    """Return the tools of a request."""
    functions = [within(tool, "function") for tool in objects(body.get("tools"))]
    return offers_are_unique([offer(tool, "parameters") for tool in functions if isinstance(tool, dict)])


def messages_in(messages: JsonValue) -> tuple[str, tuple[Message, ...]]:
    """Return the system prompt and the turns. Raises `Rejected` in the provider's words."""
    system: list[str] = []
    said: list[Message] = []
    for index, message in enumerate(objects(messages)):
        content = message.get("content")
        match message.get("role"):
            case "system" | "developer":
                system.append(text_of(content))
            case "user":
                before = said.pop() if said and said[-1].results and not said[-1].content else Message("user", "")
                said.append(Message("user", text_of(content), results=before.results, attachments=_files(content)))
            case "assistant":
                calls = tuple(_call(call) for call in objects(message.get("tool_calls")))
                said.append(Message("assistant", text_of(content), calls=calls))
            case "tool":
                result = ToolAnswer(text(message.get("tool_call_id")), "", text_of(content))
                before = said.pop() if said and said[-1].results else Message("user", "")
                said.append(Message("user", "", results=(*before.results, result)))
            case role:
                raise Rejected(
                    400,
                    f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', "
                    "'function', 'tool', and 'developer'.",
                    param=f"messages[{index}].role",
                    error_code="invalid_value",
                )
    if wrong := unanswered(said):
        raise Rejected(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following did not match: {', '.join(wrong)}",
            param="messages",
        )
    return "\n".join(system), tuple(said)


def _call(call: JsonObject) -> ToolCall:
    return call_of(call.get("id"), within(call, "function", "name"), text(within(call, "function", "arguments")))


def _files(content: JsonValue) -> tuple[Attachment, ...]:
    found = []
    for part in objects(content):
        if part.get("type") == "image_url":
            found.append(file_in_url("", within(part, "image_url", "url")))
        elif part.get("type") == "file":
            found.append(file_in_url(within(part, "file", "filename"), within(part, "file", "file_data")))
    return tuple(found)


def calls_of(reply: ServedReply) -> list[JsonObject]:
    """Return the calls of an answer."""
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments or {})},
        }
        for call in reply.calls
    ]
