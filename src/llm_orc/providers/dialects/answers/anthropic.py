"""The content blocks of an answer of Anthropic Messages, which a stream gives in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.jsontypes import JsonValue
from llm_orc.providers.dialects.calls import arguments_of, call_of

if TYPE_CHECKING:
    from llm_orc.providers.dialects.draft import Draft


class _Delta(msgspec.Struct):
    type: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: JsonValue = None


class _BlockEvent(msgspec.Struct):
    """An event of a block, beside the deltas of text."""

    index: int = -1
    content_block: dict[str, JsonValue] | None = None
    delta: _Delta | None = None


READ_BLOCK = msgspec.json.Decoder(_BlockEvent, strict=False)


class _Growing:
    """A block so far. `begins`: how many pieces of text precede it."""

    __slots__ = ("begins", "index", "json", "value")

    def __init__(self, index: int, value: dict[str, JsonValue], begins: int) -> None:
        self.index, self.value, self.begins = index, value, begins
        self.json: list[str] = []

    def add(self, name: str, piece: str) -> None:
        before = self.value.get(name)
        self.value[name] = before + piece if isinstance(before, str) else piece


class GrowingBlocks:
    """Collects the blocks of a stream. The text of a text block is that of the draft's pieces."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: list[_Growing] = []

    def take(self, event: _BlockEvent, draft: Draft) -> None:
        """Take the beginning of a block, or a piece of it."""
        if (value := event.content_block) is not None:
            self._blocks.append(_Growing(event.index, value, len(draft.pieces)))
            if value.get("type") == "text" and value.get("text"):
                draft.pieces.append(_text_in(value))
        elif event.delta is not None:
            self._grow(event.index, event.delta)

    def _grow(self, index: int, delta: _Delta) -> None:
        block = next((block for block in reversed(self._blocks) if block.index == index), None)
        if block is None:
            return
        match delta.type:
            case "input_json_delta":
                block.json.append(delta.partial_json)
            case "thinking_delta":
                block.add("thinking", delta.thinking)
            case "signature_delta":
                block.add("signature", delta.signature)
            case "citations_delta":
                before = block.value.get("citations")
                block.value["citations"] = [*(before if isinstance(before, list) else []), delta.citation]
            case _:
                pass

    def gather(self, draft: Draft) -> None:
        """Put the whole blocks and the calls among them into `draft`, if there are calls."""
        if not any(block.value.get("type") == "tool_use" for block in self._blocks):
            return
        ends = [*(block.begins for block in self._blocks[1:]), len(draft.pieces)]
        blocks: list[JsonValue] = []
        for block, end in zip(self._blocks, ends, strict=False):
            if block.value.get("type") == "text":
                block.value["text"] = "".join(draft.pieces[block.begins : end])
            if (written := "".join(block.json)).strip():
                block.value["input"] = written
            blocks.append(block.value)
        take_blocks(draft, blocks)


def _text_in(block: dict[str, JsonValue]) -> str:
    text = block.get("text")
    if not isinstance(text, str):
        raise msgspec.ValidationError("text is expected")
    return text


def take_blocks(draft: Draft, blocks: JsonValue) -> None:
    """Take the calls among the blocks of a turn, and the blocks as they go back."""
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, dict) and block.get("type") == "tool_use":
            call = call_of(block.get("id"), block.get("name"), block.get("input"))
            draft.calls.append(call)
            draft.blocks.append({**block, "input": arguments_of(call)})
        else:
            draft.blocks.append(block)
