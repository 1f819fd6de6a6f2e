"""Turns of Anthropic Messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import JsonObject, Rejected, objects, text, text_of, within
from llm_orc.protocols.turns.parts import call_of, file_of, offer, offers_are_unique, unanswered
from llm_orc.providers.base import Message
from llm_orc.providers.parts import OwnBlocks, ToolAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply
    from llm_orc.providers.parts import Attachment, ToolCall, ToolOffer

_FILES = ("image", "document")
SIGNATURE = "c2FuZGJveA=="
"""What the sandbox signs thoughts with."""
THOUGHT: dict[str, JsonValue] = {"type": "thinking", "thinking": "I need a tool.", "signature": SIGNATURE}


def tools_in(body: JsonObject) -> tuple[ToolOffer, ...]:
    """Return the client's tools; those that the provider runs have a type of their own."""
    own = [tool for tool in objects(body.get("tools")) if tool.get("type") in (None, "custom")]
    return offers_are_unique([offer(tool, "input_schema") for tool in own])


def messages_in(body: JsonObject) -> tuple[Message, ...]:
    """Return the turns. Raises `Rejected` in the provider's words."""
    value = body.get("messages")
    if not isinstance(value, list):
        raise Rejected(400, "messages: Input should be a valid list")
    if not value:
        raise Rejected(400, "messages: at least one message is required")
    thinks = within(body, "thinking", "type") in {"enabled", "adaptive"}
    found = [_message(message, index, thinks=thinks) for index, message in enumerate(objects(value))]
    if wrong := unanswered(found):
        ids = ", ".join(wrong)
        raise Rejected(400, f"messages: `tool_use` ids without `tool_result` blocks, or the other way: {ids}")
    return tuple(found)


def _message(message: JsonObject, index: int, *, thinks: bool) -> Message:
    content = message.get("content")
    match message.get("role"):
        case "user" | "assistant" as role:
            pass
        case "system":
            raise Rejected(
                400,
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.',
            )
        case _:
            raise Rejected(400, f"messages.{index}.role: Input should be 'user' or 'assistant'")
    blocks = list(objects(content))
    others = [block for block in blocks if block.get("type") != "text"]
    if any(not text(block.get("text")).strip() for block in blocks if block.get("type") == "text"):
        raise Rejected(400, "messages: text content blocks must contain non-whitespace text")
    if not others and not text_of(content).strip():
        raise Rejected(400, f"messages.{index}: all messages must have non-empty content")
    if role == "user":
        return _said(blocks, text_of(content), index)
    calls = tuple(_call(block) for block in blocks if block.get("type") == "tool_use")
    if calls and thinks and blocks[0].get("signature") != SIGNATURE:
        raise Rejected(
            400, f"messages.{index}.content.0.type: Expected `thinking`, but found `{blocks[0]['type']}`"
        )
    own = OwnBlocks("anthropic", tuple(blocks)) if calls else None
    return Message("assistant", text_of(content), calls=calls, own=own)


def _said(blocks: list[JsonObject], content: str, index: int) -> Message:
    results = [block for block in blocks if block.get("type") == "tool_result"]
    if blocks[: len(results)] != results:
        raise Rejected(400, f"messages.{index}: `tool_result` blocks must come first")
    files = tuple(_file(block) for block in blocks if block.get("type") in _FILES)
    return Message("user", content, results=tuple(map(_result, results)), attachments=files)


def _call(block: JsonObject) -> ToolCall:
    if isinstance(block.get("input"), str):
        raise Rejected(400, "messages: tool_use.input: Input should be a valid dictionary")
    return call_of(block.get("id"), block.get("name"), block.get("input"))


def _result(block: JsonObject) -> ToolAnswer:
    return ToolAnswer(
        text(block.get("tool_use_id")), "", text_of(block.get("content")), block.get("is_error") is True
    )


def _file(block: JsonObject) -> Attachment:
    source = block.get("source")
    return file_of(block.get("title"), within(source, "media_type"), within(source, "data"))


def up_to_the_last_mark(body: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return the input up to the last mark, which also caches everything before it."""
    blocks: list[Mapping[str, JsonValue]] = [*objects(body.get("tools"))]
    for content in (body.get("system"), *(m.get("content") for m in objects(body.get("messages")))):
        blocks += [{"text": content}] if isinstance(content, str) else objects(content)
    marked = [at for at, block in enumerate(blocks, start=1) if isinstance(block.get("cache_control"), dict)]
    return tuple(_content_of(block) for block in blocks[: max(marked, default=0)])


def _content_of(block: Mapping[str, JsonValue]) -> str:
    found = block.get("text")
    if isinstance(found, str):
        return found
    return json.dumps({key: value for key, value in block.items() if key != "cache_control"})


def blocks_of(reply: ServedReply) -> list[JsonValue]:
    """Return the content of an answer: perhaps a thought before calls, its text, and its calls."""
    said: JsonValue = {"type": "text", "text": reply.text}
    calls: list[JsonValue] = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments or {}}
        for call in reply.calls
    ]
    return [*([THOUGHT] if thinks(reply) else []), *([said] if reply.tokens else []), *calls]


def thinks(reply: ServedReply) -> bool:
    """Whether the answer begins with a thought."""
    return reply.thinks and bool(reply.calls)
