"""A batch as JSON, and its state in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.figures import count, minute, moment, relative
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.batches.batch import Batch, Failures
    from llm_orc.jsontypes import JsonValue


_REASONS = 3  # that are shown
_LONGEST_REASON = 200  # characters


def batch_value(batch: Batch) -> JsonValue:
    waiting = batch.waits_for_plan
    return {
        "batch_id": batch.batch_id,
        "ensemble": batch.ensemble,
        "inputs": batch.inputs,
        "state": batch.state,
        "rehearsal": batch.is_rehearsal,
        "started_at": moment(batch.created_at),
        "rows": batch.total,
        "counts": {str(state): number for state, number in batch.counts.items()},
        "waiting_for_answer": batch.asking,
        "waiting_for_plan": None if waiting is None else {"rows": waiting.rows, "until": moment(waiting.until)},
        "max_cost_usd": batch.limits.max_cost_usd,
        "max_calls": batch.limits.max_calls,
        "row_max_cost_usd": batch.limits.row_max_cost_usd,
        "row_max_calls": batch.limits.row_max_calls,
        "max_total_tokens": batch.limits.max_total_tokens,
        "row_max_total_tokens": batch.limits.row_max_total_tokens,
        # What counts against the limits; the real cost is in `by_billing`.
        "calls": None if batch.limits.max_calls is None else batch.calls,
        "spent_usd": None if batch.limits.max_cost_usd is None else batch.spent_usd,
        "tokens": None if batch.limits.max_total_tokens is None else batch.tokens,
    }


def waiting_words(batch: Batch, now: float) -> str:
    """`12 rows wait for a plan until 2026-11-27 18:30 UTC (in 1 h 05 min)`; empty if none does."""
    waiting = batch.waits_for_plan
    if waiting is None:
        return ""
    verb = "waits" if waiting.rows == 1 else "wait"
    when = f"{minute(waiting.until)} ({relative(waiting.until, now)})"
    return f"{count(waiting.rows, 'row')} {verb} for a plan until {when}"


def asking_words(batch: Batch) -> str:
    """`2 rows wait for an answer`; empty if none does."""
    verb = "waits" if batch.asking == 1 else "wait"
    return f"{count(batch.asking, 'row')} {verb} for an answer" if batch.asking else ""


def failure_lines(failures: Sequence[Failures]) -> Iterator[str]:
    """`2 rows failed (3, 5): request_rejected: no such model`: a line for each of the most frequent reasons."""
    for one in failures[:_REASONS]:
        message = one_line(one.message)
        if len(message) > _LONGEST_REASON:
            message = f"{message[:_LONGEST_REASON]}…"
        more = ", …" if one.rows > len(one.first) else ""
        which = f"{', '.join(map(str, one.first))}{more}"
        yield f"{count(one.rows, 'row')} failed ({which}): {one_line(one.code)}: {message}"
    if others := failures[_REASONS:]:
        yield f"{count(sum(one.rows for one in others), 'row')} failed for other reasons"


def failure_values(failures: Sequence[Failures]) -> JsonValue:
    return [
        {"code": one.code, "message": one.message, "rows": one.rows, "first_rows": [*one.first]}
        for one in failures
    ]


def state_words(batch: Batch) -> str:
    return f"{batch.state}, rehearsal" if batch.is_rehearsal else batch.state
