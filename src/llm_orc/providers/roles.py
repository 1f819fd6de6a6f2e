"""Roles where the access fixes the system prompt: the role is then agreed on in the conversation itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.providers.base import Message

if TYPE_CHECKING:
    from llm_orc.providers.base import ModelRequest


def role_in_conversation(request: ModelRequest, required: str) -> ModelRequest:
    """Return the request with the `required` system prompt, and its own as a role that was agreed on.

    Two turns come before the conversation; none do where there is no role, where the role is the required prompt
    itself, or where the conversation begins with that very agreement already.
    """
    role = request.system_prompt
    fixed = replace(request, system_prompt=required)
    if not role or role == required:
        return fixed
    agreement = (
        Message("user", f"For this conversation, please act as: {role}"),
        Message("assistant", "Understood. I'll act in that role for our conversation."),
    )
    if request.messages[:2] == agreement:
        return fixed
    return replace(fixed, messages=(*agreement, *request.messages))
