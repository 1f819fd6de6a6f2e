"""What OpenAI's two protocols have in common: how a turn without calls is made of results, files and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.dialects.attachments import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message
    from llm_orc.providers.parts import Attachment, ToolAnswer


def said_to_model(
    turn: Message,
    of_result: Callable[[ToolAnswer], JsonValue],
    of_text: Callable[[str], JsonValue],
    of_file: Callable[[Attachment], JsonValue],
) -> Iterator[JsonValue]:
    """Yield the items of a turn that asks for no calls: each result by itself, then its files and its text."""
    for result in turn.results:
        yield of_result(result)
    if turn.attachments:
        text: list[JsonValue] = [of_text(turn.content)] if turn.content else []
        yield {"role": turn.role, "content": [*parts_of(turn.attachments, of_text, of_file), *text]}
    elif turn.content or not turn.results:
        yield {"role": turn.role, "content": turn.content}
