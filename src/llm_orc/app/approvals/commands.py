"""The commands that answer what an agent asks."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.approval.work import DEFAULT_CHOICES
from llm_orc.formats.json_values import asked_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.engine.events import ApprovalAsked
    from llm_orc.jsontypes import JsonValue


def asks_value(run_id: str, asks: Sequence[ApprovalAsked]) -> JsonValue:
    """Return as JSON what agents of a run ask, and the commands that answer it."""
    return [{"agent": one.agent, **asked_value(one), "commands": [*answer_commands(run_id, one)]} for one in asks]


def answer_commands(run_id: str, asked: ApprovalAsked, *, names_agent: bool = True) -> Iterator[str]:
    """Yield them: one for each choice. `names_agent` False: it is the only one of its run that asks."""
    of_run = f"{run_id} {quote(asked.agent)}" if names_agent else run_id
    if not asked.choices:
        yield f"llm-orc runs answer {of_run} --text '…'"
    for choice in asked.choices:
        if choice in DEFAULT_CHOICES:
            yield f"llm-orc runs {choice} {of_run}"
        else:
            yield f"llm-orc runs answer {of_run} --choice {quote(choice)}"
