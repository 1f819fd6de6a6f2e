"""Batches and their rows as text: one JSON object per line, CSV, and sentences for people. Prints nothing."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

from llm_orc.agents.files.ref import as_names
from llm_orc.dataclass import dataclass
from llm_orc.formats.figures import moment, spent_dollars
from llm_orc.formats.json_values import (
    cached_value,
    error_info_value,
    evidence_value,
    items_value,
    line,
    samples_value,
    spend_value,
)
from llm_orc.formats.printable import printable
from llm_orc.formats.quoting import one_markdown_line, quoted_markdown
from llm_orc.formats.sentences import calls_of
from llm_orc.providers.dialects.endings import end_note
from llm_orc.runs.results import spend
from llm_orc.runs.spend import Spend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.results import AgentResult, RunResult

ROW_SCHEMA_VERSION = 1
_LONGEST_TITLE = 80  # characters


def row_value(about: Mapping[str, JsonValue], result: RunResult | None, error: JsonValue) -> dict[str, JsonValue]:
    """Return a row as one JSON value. `about` is what is known without running it."""
    values: dict[str, JsonValue] = {"schema_version": ROW_SCHEMA_VERSION, **about, "error": error}
    if result is None:
        return {**values, "results": {}, "totals": spend_value(Spend())}
    return {
        **values,
        "results": {agent.name: _agent_value(agent) for agent in result.agents},
        "totals": {
            **spend_value(result.total),
            "by_billing": {billing: spend_value(part) for billing, part in result.by_billing.items()},
        },
    }


def _agent_value(agent: AgentResult) -> JsonValue:
    return {
        "status": agent.status,
        "response": agent.response,
        "items": items_value(agent.items),
        "samples": samples_value(agent.samples),
        "data": agent.data,
        "validation": agent.validation or None,
        "evidence": evidence_value(agent.evidence),
        "stop_reason": agent.stop_reason,
        "stop_word": agent.stop_word or None,
        "error": error_info_value(agent.error),
        "model": agent.model,
        "billing": str(agent.access.billing) if agent.access else None,
        "attempts": agent.attempts,
        "cached": cached_value(agent.cached),
        "saved_as": agent.saved_as or None,
    }


def row_line(value: Mapping[str, JsonValue]) -> str:
    """Return the row as one line of JSON, ended."""
    return line(dict(value)) + "\n"


def row_text(result: RunResult | None) -> str:
    """Return the answer of a row alone, as the model wrote it, its last line ended; empty without one."""
    text = printable(result.answer or "") if result is not None else ""
    return text if text.endswith("\n") or not text else f"{text}\n"


def row_markdown(about: Mapping[str, JsonValue], result: RunResult | None, error: JsonValue) -> str:
    """Return a section with the row's number and name, and its answer, or why it has none."""
    name = about.get("id") or about.get("input") or ""
    title = one_markdown_line(str(name))
    if len(title) > _LONGEST_TITLE:
        title = f"{title[:_LONGEST_TITLE]}…"
    if answer := row_text(result):
        body = "\n".join(quoted_markdown(answer))
    else:
        failed = error if isinstance(error, dict) else {}
        why = ": ".join(str(failed[key]) for key in ("code", "message") if failed.get(key))
        body = f"**No answer**: {one_markdown_line(why) or about.get('status')}"
    return f"## {about.get('row')}. {title}".rstrip() + f"\n\n{body}\n\n"


# What makes a cell a formula in a spreadsheet, also in fullwidth characters or after a tab or line break.
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\n", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?\d[\d ,._]*(?:[eE][+-]?\d+)?\s?%?")
_CSV_BEFORE = ("row", "line", "id", "status", "input")
_CSV_BEHIND = ("error_code", "error", "calls", "input_tokens", "output_tokens", "cost_usd", "notes")


@dataclass(frozen=True, slots=True)
class Columns:
    """The additional columns of a batch's table: the inputs' own columns, fields of the answer, and its agents.

    `fields` are those that the schema of the agent `answered_by` names.
    """

    own: tuple[str, ...]
    agents: tuple[str, ...]
    fields: tuple[str, ...] = ()
    answered_by: str = ""


def csv_heading(columns: Columns) -> str:
    """Return the header with unique names: an agent or column named like another one is renamed."""
    taken = [*_CSV_BEFORE, *_CSV_BEHIND]
    agents = [_told_apart("agent", name, taken) for name in columns.agents]
    own = [_told_apart("column", name, taken) for name in columns.own]
    fields = [_told_apart("field", name, taken) for name in columns.fields]
    return _csv_line([*_CSV_BEFORE, *own, *fields, *agents, *_CSV_BEHIND])


def _told_apart(kind: str, name: str, taken: list[str]) -> str:
    while name in taken:
        name = f"{kind} {name}"
    taken.append(name)
    return name


def csv_row(columns: Columns, about: Mapping[str, JsonValue], result: RunResult | None, error: JsonValue) -> str:
    """Return the row as one record of CSV (RFC 4180), ended; an agent without an answer has an empty cell."""
    fields = about.get("fields")
    own = fields if isinstance(fields, dict) else {}
    answers = {agent.name: agent.response or "" for agent in result.agents} if result else {}
    data = next((one.data for one in result.agents if one.name == columns.answered_by), None) if result else None
    answer = data if isinstance(data, dict) else {}
    total = spend(result.agents) if result else Spend()
    failed = error if isinstance(error, dict) else {}
    return _csv_line(
        [
            *(about.get(name, "") for name in _CSV_BEFORE),
            *(_cell(own.get(name)) for name in columns.own),
            *(_cell(answer.get(name)) for name in columns.fields),
            *(answers.get(name, "") for name in columns.agents),
            failed.get("code", ""),
            failed.get("message", ""),
            total.calls,
            total.input_tokens,
            total.output_tokens,
            "" if total.cost_usd is None else total.cost_usd,
            "; ".join(_notes(result)) if result else "",
        ]
    )


def _notes(result: RunResult) -> Iterator[str]:
    """Yield notes on answers that are or may be truncated."""
    for agent in result.agents:
        if agent.status == "completed" and (note := end_note(agent.stop_reason, agent.stop_word)):
            yield f"{agent.name} {note}"


def _cell(value: JsonValue) -> str:
    """Return a text unchanged, the name of a file, and any other value as JSON."""
    value = as_names(value)
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _without_formula(cell: JsonValue) -> JsonValue:
    """Return a text with `'` before it if a spreadsheet would interpret it as a formula.

    Numbers stay numbers. It is printable too, because a table may be shown in a terminal.
    """
    if not isinstance(cell, str):
        return cell
    shown = printable(cell)
    is_formula = shown.lstrip(" ").startswith(_FORMULA_BEGINS) and not _NUMBER.fullmatch(shown)
    return f"'{shown}" if is_formula else shown


def _csv_line(cells: Sequence[JsonValue]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_without_formula(cell) for cell in cells])
    return text.getvalue()


def spend_words(by_billing: Mapping[str, Spend]) -> str:
    """Return who paid and how much: `metered $0.42 (120 calls), local (30 calls)`."""
    parts = []
    for billing, part in by_billing.items():
        cost = f" {spent_dollars(part)}" if billing == "metered" else ""
        parts.append(f"{billing}{cost} ({calls_of(part)})")
    return ", ".join(parts)


def spend_values(by_billing: Mapping[str, Spend]) -> dict[str, JsonValue]:
    return {billing: spend_value(part) for billing, part in by_billing.items()}


__all__ = [
    "Columns",
    "csv_heading",
    "csv_row",
    "moment",
    "row_line",
    "row_markdown",
    "row_text",
    "row_value",
    "spend_values",
    "spend_words",
]
