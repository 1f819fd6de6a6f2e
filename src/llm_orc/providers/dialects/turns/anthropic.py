"""Turns and tools for Anthropic Messages (https://platform.claude.com/docs/en/build-with-claude/tool-use)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.net.text import is_blank, one_line
from llm_orc.providers.dialects.attachments import base64_of, parts_of, refuse_files
from llm_orc.providers.dialects.calls import arguments_of, fitted
from llm_orc.providers.structured.parameters import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message, ModelRequest, Target
    from llm_orc.providers.parts import Attachment, ToolAnswer, ToolOffer

_MARK: dict[str, JsonValue] = {"cache_control": {"type": "ephemeral"}}
_MARKED_TURNS = 2  # a mark finds what was cached up to 20 blocks before it: many calls of one turn are more


def tools_of(tools: Sequence[ToolOffer]) -> list[JsonValue]:
    """Return the tools of a request."""
    return [
        {"name": tool.name, "description": tool.description, "input_schema": parameters_of(tool)} for tool in tools
    ]


def messages_of(request: ModelRequest, target: Target) -> list[JsonValue]:
    """In a conversation the last turn carries the mark up to which the provider caches the prefix.

    So do a request with tools, as their results mean another one with the same beginning, and the beginning that
    other requests of now share. A mark costs a quarter more for what it writes, so a single call has none
    (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
    """
    refuse_files(request, "anthropic", target)
    turns = fitted(request.messages, "anthropic", target)
    contents = [content_of(turn) for turn in turns]
    goes_on = request.conversation is not None or bool(request.tools)
    if request.shared and turns and not turns[-1].results:
        contents[-1] = _shared(turns[-1], request.shared)
        goes_on = bool(request.tools)
    if goes_on:
        said = [at for at, turn in enumerate(turns) if turn.role == "user"]
        for at in said[-_MARKED_TURNS:] if any(turn.results for turn in turns) else said[-1:]:
            contents[at] = _marked(contents[at])
    return [{"role": turn.role, "content": content} for turn, content in zip(turns, contents, strict=True)]


def content_of(turn: Message) -> str | list[JsonValue]:
    """Return the content of a turn: its text, or blocks where it has more."""
    if turn.role == "assistant":
        return _answer(turn) if turn.calls else turn.content
    if not turn.results and not turn.attachments:
        return turn.content
    return [*map(_result, turn.results), *_files(turn), *_text(turn.content)]


def _text(text: str) -> list[JsonValue]:
    return [_text_block(text)] if text else []


def _text_block(text: str) -> JsonValue:
    return {"type": "text", "text": text}


def _files(turn: Message) -> Iterator[JsonValue]:
    return parts_of(turn.attachments, _text_block, _file)


def _file(file: Attachment) -> JsonValue:
    source: JsonValue = {"type": "base64", "media_type": file.media_type, "data": base64_of(file)}
    if file.kind == "image":
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, "title": one_line(file.name, 200)}


def _answer(turn: Message) -> list[JsonValue]:
    own = turn.own.blocks if turn.own is not None else ()
    if [block["id"] for block in own if _is_call(block) and isinstance(block, dict)] == [c.id for c in turn.calls]:
        return [block for block in own if not _is_empty(block)]
    calls: list[JsonValue] = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call)} for call in turn.calls
    ]
    return [*_text("" if is_blank(turn.content) else turn.content), *calls]


def _is_call(block: JsonValue) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(block.get("id"), str)


def _is_empty(block: JsonValue) -> bool:
    """The API refuses text that nobody can see, although its models write some."""
    return isinstance(block, dict) and block.get("type") == "text" and is_blank(str(block.get("text", "")))


def _result(result: ToolAnswer) -> JsonValue:
    block: dict[str, JsonValue] = {"type": "tool_result", "tool_use_id": result.id}
    if result.text:
        block["content"] = result.text
    if result.is_error:
        block["is_error"] = True
    return block


def _shared(turn: Message, length: int) -> list[JsonValue]:
    beginning, rest = turn.content[:length], turn.content[length:]
    return [*_files(turn), {"type": "text", "text": beginning, **_MARK}, *_text(rest)]


def _marked(content: str | list[JsonValue]) -> str | list[JsonValue]:
    blocks: list[JsonValue] = [_text_block(content)] if isinstance(content, str) else content
    *others, last = blocks
    return [*others, {**last, **_MARK} if isinstance(last, dict) else last]
