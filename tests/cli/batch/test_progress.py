"""What a batch shows about its progress."""

from __future__ import annotations

import pytest

from llm_orc.app.batches.carry_out import Progress
from llm_orc.batches.batch import Batch, BatchLimits, RowState
from llm_orc.cli.batch.execution.progress import progress_words
from llm_orc.providers.limits.limiter import SlowedDown
from llm_orc.runs.spend import Spend


def batch(counts: dict[RowState, int]) -> Batch:
    return Batch(
        batch_id="b1",
        ensemble="e",
        inputs="in.jsonl",
        created_at=0.0,
        stored_state="open",
        total=2000,
        is_rehearsal=False,
        limits=BatchLimits(),
        calls=0,
        spent_usd=0.0,
        counts=counts,
        unusable=0,
    )


def test_progress_says_what_is_done_what_failed_how_fast_it_goes_and_who_pays() -> None:
    spend = {"metered": Spend(calls=12, cost_usd=0.42), "local": Spend(calls=3)}
    done: dict[RowState, int] = {"completed": 409, "failed": 3}

    words = progress_words(Progress(batch(done), 32, spend, 12.4, 128.0))

    assert words == (
        "412 of 2,000 rows done, 3 failed, 32 in flight, 12.4 rows/s, 2 min 08 s left,"
        " metered $0.42 (12 calls), local (3 calls)"
    )


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (90, "412 of 2,000 rows done, 3 failed, 32 in flight, 2 min 08 s left, metered $0.42 (12 calls)"),
        (80, "412 of 2,000 rows done, 3 failed, 2 min 08 s left, metered $0.42 (12 calls)"),
        (50, "412 of 2,000 rows done, metered $0.42 (12 calls)"),
        (10, "412 of 2,000 rows done, metered $0.42 (12 calls)"),
    ],
)
def test_in_a_narrow_terminal_who_pays_is_left_out_last(width: int, said: str) -> None:
    spend = {"metered": Spend(calls=12, cost_usd=0.42)}
    done: dict[RowState, int] = {"completed": 409, "failed": 3}

    assert progress_words(Progress(batch(done), 32, spend, 12.4, 128.0), width) == said


@pytest.mark.parametrize(
    ("slowed", "said"),
    [
        (SlowedDown("openai", 12.2), "openai is busy for 12 s"),
        (SlowedDown("openai", 0.3), "openai is busy"),
    ],
)
def test_progress_says_why_it_goes_slowly(slowed: SlowedDown, said: str) -> None:
    words = progress_words(Progress(batch({}), 32, {}, None, None, (slowed,)))

    assert words == f"0 of 2,000 rows done, 32 in flight, {said}"
