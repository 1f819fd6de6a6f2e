"""Roles for access that fixes the system prompt: the role is then agreed on in the conversation itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.providers.base import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.providers.base import ModelRequest

_ACT_AS = "For this conversation, please act as: "
_UNDERSTOOD = Message("assistant", "Understood. I'll act in that role for our conversation.")


def role_in_conversation(request: ModelRequest, required: str) -> ModelRequest:
    """Return the request with the `required` system prompt, and the agent's own as agreed roles.

    Each user turn has the role that was in force. If it changes, two turns are inserted before it, once: none if
    there is no role, if the role is the required prompt itself, or if the conversation already contains that very
    agreement. The same turns give the same agreements, so a cached prefix stays valid.
    """
    last = max((at for at, message in enumerate(request.messages) if _is_said(message)), default=0)
    now = tuple(
        replace(message, system_prompt=request.system_prompt) if at == last else message
        for at, message in enumerate(request.messages)
    )
    messages = tuple(_with_agreements(now, required))
    return replace(request, system_prompt=required, messages=messages)


def _is_said(message: Message) -> bool:
    """Whether a user's turn is no mere result of calls: nothing may come between these and the calls."""
    return message.role == "user" and not message.results


def _with_agreements(messages: Sequence[Message], required: str) -> Iterator[Message]:
    agreed = None
    for message, following in zip(messages, [*messages[1:], None], strict=True):
        if _is_said(message):
            said = message.content.removeprefix(_ACT_AS)
            role = message.system_prompt
            if said != message.content and following == _UNDERSTOOD:
                agreed = said
            elif role and role not in (required, agreed):
                agreed = role
                yield Message("user", _ACT_AS + role)
                yield _UNDERSTOOD
        yield message
