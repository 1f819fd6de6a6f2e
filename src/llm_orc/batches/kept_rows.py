"""Convert a row to and from its columns. A row that can't be read fails by itself, and not the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.batches.batch import BatchRow
from llm_orc.batches.tables import ROWS, damage_of
from llm_orc.errors import LlmOrcError
from llm_orc.jsontypes import JsonValue
from llm_orc.runs.spend import Spend
from llm_orc.runs.state import RunState
from llm_orc.runs.wire import decode_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from llm_orc.batches.batch import NewRow
    from llm_orc.engine.events import RecordedEvent

_UNREADABLE = (msgspec.MsgspecError, LlmOrcError, ValueError, TypeError, KeyError, RecursionError, AttributeError)
_UNKNOWN_SPEND = {"unknown": Spend(cost_usd=None, unknown_costs=1)}


def row_values(batch_id: str, row: NewRow, now: float) -> dict[str, object]:
    """Return the columns of a row that is about to be stored."""
    is_bad = row.error is not None
    return {
        "batch_id": batch_id,
        "number": row.number,
        "line": row.line,
        "label": row.label,
        "task": row.task,
        "fields": msgspec.json.encode(row.fields or {}),
        "state": "failed" if is_bad else "waiting",
        "ended_at": now if is_bad else None,
        "error_code": "input" if is_bad else None,
        "error": row.error,
    }


def read_row(row: sa.Row[tuple[object, ...]]) -> BatchRow:
    """Return a stored row. If it is damaged, `damage` and its error say so."""
    stored = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to read by name
    record: tuple[RecordedEvent, ...] = ()
    damage = damage_of(ROWS, row)
    try:
        if damage is None and stored["record"]:
            record, _ = decode_record(msgspec.json.decode(stored["record"], type=list[str]))
    except _UNREADABLE as e:
        damage = str(e)
    if damage is not None:
        damage = f"the store's data of row {stored['number']} is damaged: {damage}"
    return BatchRow(
        batch_id=stored["batch_id"],
        number=stored["number"],
        line=stored["line"],
        label=str(stored["label"]),
        fields=read_fields(stored["fields"]),
        task=str(stored["task"]),
        state=stored["state"],
        attempt=stored["attempt"],
        ended_at=stored["ended_at"],
        error_code="row_damaged" if damage else stored["error_code"],
        error=damage or stored["error"],
        takeovers=stored["takeovers"],
        record=record,
        damage=damage,
    )


def decode_record(record: Sequence[bytes] | Sequence[str]) -> tuple[tuple[RecordedEvent, ...], RunState]:
    """Return a row's events, and their state. Raises one of `_UNREADABLE` if they are not as we write them."""
    events: list[RecordedEvent] = []
    for item in record:
        kind, body = msgspec.json.decode(item, type=tuple[str, msgspec.Raw])
        events += decode_event(kind, bytes(body))
    folded = RunState()
    for event in events:
        folded.apply(event)
    return tuple(events), folded


# Made with the module, not in the threads that use it: see `runs.recipe.decode_recipe`.
_read_spend = msgspec.json.Decoder(dict[str, Spend])


def read_fields(stored: bytes) -> dict[str, JsonValue]:
    """Return the columns of the input; none if they are damaged."""
    try:
        return msgspec.json.decode(stored, type=dict[str, JsonValue])
    except _UNREADABLE:
        return {}


def read_spend(stored: bytes | None) -> dict[str, Spend]:
    """Return what a row has spent, by billing source; of unknown cost if that is damaged."""
    try:
        return _read_spend.decode(stored or b"{}")
    except _UNREADABLE:
        return dict(_UNKNOWN_SPEND)
