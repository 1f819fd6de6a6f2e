"""A model for the sandbox that says one thing after the other: text, and calls of tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.providers.parts import ToolCall
from llm_orc.sandbox.canned import Compose, Said

if TYPE_CHECKING:
    from llm_orc.protocols.chat_request import ChatRequest


def called(name: str, call_id: str = "", **arguments: Any) -> ToolCall:
    """Return a call of a tool; its id is made of its name unless it is given."""
    return ToolCall(call_id or f"call_{name}", name, arguments)


def scripted(*turns: Said | str) -> Compose:
    """Return a model that says these turns, one for each round of results that the conversation has had.

    The last one is said again and again.
    """

    def say(asked: ChatRequest) -> Said | str:
        return turns[min(asked.rounds, len(turns) - 1)]

    return say
