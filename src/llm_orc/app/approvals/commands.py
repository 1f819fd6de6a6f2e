"""The commands that answer what an agent asks."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.approval.work import DEFAULT_CHOICES
from llm_orc.formats.json_values import asked_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.batches.questions import RowQuestion
    from llm_orc.engine.events import ApprovalAsked
    from llm_orc.jsontypes import JsonValue


def asks_value(run_id: str, asks: Sequence[ApprovalAsked]) -> JsonValue:
    """Return as JSON what agents of a run ask, and the commands that answer it."""
    return [{"agent": one.agent, **asked_value(one), "commands": [*answer_commands(run_id, one)]} for one in asks]


def row_asks_value(asks: Sequence[RowQuestion]) -> JsonValue:
    """Return as JSON what agents of rows ask, and the commands that answer it."""
    return [{"row": one.number, "id": one.label or None, **_in_row(one)} for one in asks]


def _in_row(one: RowQuestion) -> dict[str, JsonValue]:
    commands = [*answer_commands(f"{one.batch_id}:{one.number}", one.asked)]
    return {"agent": one.asked.agent, **asked_value(one.asked), "commands": [*commands]}


def answer_commands(run_id: str, asked: ApprovalAsked, *, names_agent: bool = True) -> Iterator[str]:
    """Yield them: one for each choice. `names_agent` False: it is the only one of its run that asks.

    `run_id` may be that of a row of a batch, `BATCH:ROW`.
    """
    batch, is_row, row = run_id.partition(":")
    if is_row:
        of_row = f"{batch} {row}"
        return _commands("batch", f"{of_row} --agent {quote(asked.agent)}" if names_agent else of_row, asked)
    return _commands("runs", f"{run_id} {quote(asked.agent)}" if names_agent else run_id, asked)


def commands_for_all(batch_id: str, asked: ApprovalAsked, more: str = "") -> Iterator[str]:
    """Yield the commands that answer every row of a batch alike; `more` is put behind each."""
    return _commands("batch", f"{batch_id} --all{more}", asked)


def _commands(group: str, where: str, asked: ApprovalAsked) -> Iterator[str]:
    if not asked.choices:
        yield f"llm-orc {group} answer {where} --text '…'"
    for choice in asked.choices:
        if choice in DEFAULT_CHOICES:
            yield f"llm-orc {group} {choice} {where}"
        else:
            yield f"llm-orc {group} answer {where} --choice {quote(choice)}"
