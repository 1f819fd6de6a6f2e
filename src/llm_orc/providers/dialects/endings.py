"""Why an answer ended: the meaning of each provider's stop reason, and the note for an incomplete answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from llm_orc.auth.masking import hide_in_error
from llm_orc.providers.base import StopReason

Meaning = StopReason | Literal["refusal", "cut", "tool"]
"""`cut`: it broke off; a retry may succeed. `tool`: it stopped to use a tool, and would do so again."""
Words = Mapping[str, Meaning]

COMPLETE: frozenset[Meaning] = frozenset({"end_turn", "stop_sequence"})
"""The answer is whole."""

_UNSAFE = re.compile(r"[^\w.:-]+")

ANTHROPIC: Words = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
    "tool_use": "tool",
    "pause_turn": "tool",
}
# OpenAI's, and those that compatible servers have beside them.
CHAT: Words = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "complete", "completed"), "end_turn"),
    "stop_sequence": "stop_sequence",
    **dict.fromkeys(("length", "max_tokens", "max_length", "model_length"), "max_tokens"),
    **dict.fromkeys(("content_filter", "safety", "recitation", "refusal", "blocked"), "refusal"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool"),
    **dict.fromkeys(("error", "server_error", "internal_error", "network_error", "failed", "timeout"), "cut"),
    **dict.fromkeys(("abort", "aborted", "cancelled", "canceled", "insufficient_system_resource"), "cut"),
}
# A status, or why it is `incomplete`.
RESPONSES: Words = {
    "completed": "end_turn",
    **dict.fromkeys(("max_output_tokens", "max_tokens"), "max_tokens"),
    "content_filter": "refusal",
    **dict.fromkeys(("incomplete", "failed", "cancelled", "in_progress", "queued"), "cut"),
}
GEMINI: Words = {
    "stop": "end_turn",
    "max_tokens": "max_tokens",
    **dict.fromkeys(("safety", "recitation", "language", "blocklist", "prohibited_content", "spii"), "refusal"),
    **dict.fromkeys(("image_safety", "image_prohibited_content", "image_recitation"), "refusal"),
    **dict.fromkeys(("malformed_function_call", "unexpected_tool_call", "too_many_tool_calls"), "cut"),
    **dict.fromkeys(("other", "malformed_response", "missing_thought_signature"), "cut"),
    **dict.fromkeys(("no_image", "image_other"), "cut"),
}


def meaning_of(word: str, words: Words) -> Meaning:
    """Return the meaning of the provider's `word`; `other` if it is unknown."""
    return words.get(word) or words.get(word.lower()) or "other"


def plain_word(word: str) -> str:
    """Return a provider's word for use in a line or a prompt, with credentials masked."""
    return _UNSAFE.sub("?", hide_in_error(word))[:40]


def end_note(stop_reason: str | None, word: str = "") -> str:
    """Say briefly how an answer ended if readers need to know; otherwise return nothing."""
    match stop_reason:
        case None | "end_turn" | "stop_sequence":
            return ""
        case "max_tokens":
            return "cut at max_tokens"
        case "tool_use":
            return "stopped to use a tool"
        case _:
            return f"ended for an unknown reason: {word}" if word else "ended without a reason"


def note_for_readers(stop_reason: str | None, word: str = "") -> str:
    """Return the note for an agent that receives an answer whose end is or may be missing."""
    note = end_note(stop_reason, word)
    if not note:
        return ""
    if stop_reason == "max_tokens":
        return "This answer was cut off at its length limit: its end is missing."
    return f"This answer may be incomplete: it {note}."
