"""A conversation: turns between a person or an ensemble's run and each of its agents."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llm_orc.auth.access import Access
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.providers.base import Role, StopReason, Usage
from llm_orc.providers.parts import FileRef

# `open`: being answered. `cut`: stopped before its end. `failed`: no answer. `undone`: removed by the user.
# `aside`: another process had taken over the conversation. Only `done` turns, and answers that were cut after
# their first word, are part of the history.
TurnState = Literal["open", "done", "cut", "failed", "undone", "aside"]

LONGEST_NAME = 100
CUT_MARK = "[This answer was cut off here.]"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`ensemble` started it, and `source` is its file; `changed_at` is in Unix seconds, like every time here."""

    number: int
    name: str
    ensemble: str
    source: str | None
    created_at: float
    changed_at: float
    forked_from: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of one side. An answer has its usage and cost; a question the system prompt in force."""

    number: int
    agent: str
    role: Role
    text: str
    state: TurnState
    at: float
    run_id: str
    system_prompt: str | None = None
    model: str | None = None
    access: Access | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    stop_reason: StopReason | None = None  # why an answer ended; None: not stored
    stop_word: str = ""
    files: tuple[FileRef, ...] = ()  # those that went with a question


@dataclass(frozen=True, slots=True)
class Question:
    """A user turn before it is sent, with the system prompt in force."""

    agent: str
    text: str
    system_prompt: str | None
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """How many of its newest turns an agent receives; `summary` replaces the earlier ones, if there is one."""

    newest: int
    summary: str | None = None


def check_name(name: str) -> str:
    """Return the name. Raises `InputError` for one that can't be shown in a list or file."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise InputError(
            f"a conversation can't be called `{name[:LONGEST_NAME]}`",
            hint=f"Use one line of at most {LONGEST_NAME} characters, without spaces around it, like `taxes`.",
        )
    return name
