"""Requests that chat front ends send beside what a person asked: for a title, tags, or suggestions.

A panel of agents must not be asked for a title, which nobody has asked it for. Such a request is known by the
prompt that its front end sends, and is answered here from the chat itself, without a model. The prompts are those
of Open WebUI (`backend/open_webui/config.py`, `DEFAULT_*_PROMPT_TEMPLATE`), LibreChat and Chatbox.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message

AsideKind = Literal["title", "tags", "follow-ups", "search queries", "completion", "emoji", "image prompt"]


@dataclass(frozen=True, slots=True)
class Aside:
    """A request of a front end, with the answer that it gets."""

    kind: AsideKind
    answer: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A prompt of a front end. `field` names the value in its JSON answer; empty: the answer is plain text."""

    kind: AsideKind
    prompt: re.Pattern[str]
    field: str = ""
    value: JsonValue = ""


def _task(words: str) -> re.Pattern[str]:
    return re.compile(rf"\A\s*###\s*Task:\s*{words}", re.IGNORECASE)


_PATTERNS = (
    _Pattern("title", _task(r"Generate a concise, 3-5 word title"), "title"),
    _Pattern("tags", _task(r"Generate 1-3 broad tags"), "tags", ["General"]),
    _Pattern("follow-ups", _task(r"Suggest 3-5 relevant follow-up questions"), "follow_ups", []),
    _Pattern("search queries", _task(r"Analyze the chat history to determine the necessity"), "queries", []),
    _Pattern("completion", _task(r"You are an autocompletion system"), "text", ""),
    _Pattern("image prompt", _task(r"Generate a detailed prompt for a? ?n? ?image generation"), "prompt", ""),
    _Pattern("emoji", re.compile(r"\A\s*Your task is to reflect the speaker's likely facial expression")),
    _Pattern("title", re.compile(r"\A\s*(Please generate|Provide) a concise, 5-word-or-less title")),
    _Pattern("title", re.compile(r"\A\s*Based on the chat history, give this conversation a name")),
)
_HISTORY = re.compile(r"<chat_history>\s*(.*?)\s*</chat_history>", re.DOTALL)
_SPEAKER = re.compile(r"\A(USER|User|user|Human)\s*:\s*")
_LONGEST_TITLE = 40  # characters
_LONGEST_PROMPT = 100_000  # characters that are looked at


def aside_in(messages: Sequence[Message]) -> Aside | None:
    """Return what a front end asks beside the conversation, with an answer; None: it is a person's request."""
    if not messages or messages[-1].role != "user":
        return None
    prompt = messages[-1].content[:_LONGEST_PROMPT]
    for pattern in _PATTERNS:
        if pattern.prompt.match(prompt):
            value = _title(prompt, messages) if pattern.kind == "title" else pattern.value
            answer = json.dumps({pattern.field: value}, ensure_ascii=False) if pattern.field else str(value)
            return Aside(pattern.kind, answer)
    return None


def _title(prompt: str, messages: Sequence[Message]) -> str:
    """Return the first words of what the person first said."""
    quoted = _HISTORY.search(prompt)
    first = quoted[1] if quoted else next((m.content for m in messages[:-1] if m.role == "user"), "")
    if not first:  # LibreChat puts the conversation behind its request
        first = prompt.rpartition("||>")[2] if "||>" in prompt else prompt.partition("\n\n")[2]
    words = _SPEAKER.sub("", first.strip()).split("\n", 1)[0].split()
    title = ""
    for word in words:
        if len(title) + len(word) >= _LONGEST_TITLE:
            break
        title = f"{title} {word}".strip()
    return title or "Conversation"
