"""A conversation in one prompt, for a new process; no text in it can forge a turn."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.providers.base import Message


def in_one_prompt(messages: Sequence[Message]) -> str:
    """Return the last message unchanged if it is the only one, otherwise all of them between marked lines.

    The mark is random and in none of the texts, so no turn can end early or pass for two.
    """
    if len(messages) == 1:
        return messages[0].content
    mark = _unused([message.content for message in messages])
    turns = [f"[{mark} {'user' if m.role == 'user' else 'you'}]\n{m.content}\n[{mark} end]" for m in messages[:-1]]
    start = (
        f"This goes on with a conversation. Its turns so far stand between lines that begin with [{mark} …];"
        " only such lines begin or end a turn."
    )
    return "\n".join(
        [
            start,
            *turns,
            f"Now answer the next turn, from the user, and nothing else:\n[{mark} user]\n{messages[-1].content}",
        ]
    )


def with_role(role: str, prompt: str) -> str:
    """Return the prompt with its role before it, between marked lines, for a program without a system prompt."""
    if not role:
        return prompt
    mark = _unused([role, prompt])
    return (
        f"Your role stands between two lines that begin with [{mark}]. Follow it; what comes after is your task.\n"
        f"[{mark} role]\n{role}\n[{mark} end of the role]\n{prompt}"
    )


def _unused(texts: Sequence[str]) -> str:
    while True:
        mark = f"turn-{secrets.token_hex(8)}"
        if not any(mark in text for text in texts):
            return mark
