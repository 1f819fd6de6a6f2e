"""A batch as JSON, and its state in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.figures import moment

if TYPE_CHECKING:
    from llm_orc.batches.batch import Batch
    from llm_orc.jsontypes import JsonValue


def batch_value(batch: Batch) -> JsonValue:
    return {
        "batch_id": batch.batch_id,
        "ensemble": batch.ensemble,
        "inputs": batch.inputs,
        "state": batch.state,
        "rehearsal": batch.is_rehearsal,
        "started_at": moment(batch.created_at),
        "rows": batch.total,
        "counts": {str(state): number for state, number in batch.counts.items()},
        "max_cost_usd": batch.limits.max_cost_usd,
        "max_calls": batch.limits.max_calls,
        "row_max_cost_usd": batch.limits.row_max_cost_usd,
        "row_max_calls": batch.limits.row_max_calls,
        # What counts against the limits; the real cost is in `by_billing`.
        "calls": None if batch.limits.max_calls is None else batch.calls,
        "spent_usd": None if batch.limits.max_cost_usd is None else batch.spent_usd,
    }


def state_words(batch: Batch) -> str:
    return f"{batch.state}, rehearsal" if batch.is_rehearsal else batch.state
