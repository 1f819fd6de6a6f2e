"""The output items of an answer of OpenAI Responses, which a stream gives in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.jsontypes import JsonValue
from llm_orc.providers.dialects.calls import call_of, written_arguments

if TYPE_CHECKING:
    from llm_orc.providers.dialects.draft import Draft


class _Response(msgspec.Struct):
    output: list[JsonValue] | None = None


class _ItemEvent(msgspec.Struct):
    """An event of an item, or the one that has all of them."""

    type: str = ""
    output_index: int = -1
    item: dict[str, JsonValue] | None = None
    delta: str = ""
    response: _Response | None = None


READ_ITEM = msgspec.json.Decoder(_ItemEvent, strict=False)
_ARGUMENTS = "response.function_call_arguments.delta"
_DONE = "response.output_item.done"
ITEM_EVENTS = frozenset({_ARGUMENTS, _DONE, "response.output_item.added"})


class GrowingItems:
    """Collects the items of a stream. Most servers repeat all of them at its end, some only there."""

    __slots__ = ("_all", "_arguments", "_items")

    def __init__(self) -> None:
        self._items: dict[int, dict[str, JsonValue]] = {}
        self._arguments: dict[int, list[str]] = {}  # of calls whose end has not come
        self._all: list[JsonValue] | None = None

    def take(self, event: _ItemEvent) -> None:
        """Take the beginning of an item, a piece of its arguments, the whole item, or all at once."""
        if event.type == _ARGUMENTS:
            self._arguments.setdefault(event.output_index, []).append(event.delta)
        elif event.item is not None:
            self._items[event.output_index] = event.item
            if event.type == _DONE:
                self._arguments.pop(event.output_index, None)
        elif event.response is not None:
            self._all = event.response.output

    def gather(self, draft: Draft) -> None:
        """Put the calls and the items as they go back into `draft`."""
        for index, pieces in self._arguments.items():
            self._items.setdefault(index, {"type": "function_call"})["arguments"] = "".join(pieces)
        items: list[JsonValue] = [item for _, item in sorted(self._items.items())]
        take_items(draft, items if self._all is None else self._all)


def take_items(draft: Draft, items: JsonValue) -> None:
    """Take the calls among the items of a turn, and the items as they go back."""
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and item.get("type") == "function_call":
            call = call_of(item.get("call_id"), item.get("name"), item.get("arguments"))
            draft.calls.append(call)
            draft.blocks.append(
                item if call.arguments is not None else {**item, "arguments": written_arguments(call)}
            )
        else:
            draft.blocks.append(item)
