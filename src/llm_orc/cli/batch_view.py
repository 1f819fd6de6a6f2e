"""A batch while it goes: one line that is painted over in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from llm_orc.cli.streams import columns, moves_cursor, note
from llm_orc.cli.tables import cut
from llm_orc.formats.batch import spend_words
from llm_orc.formats.figures import count, seconds

if TYPE_CHECKING:
    from llm_orc.app.batch_work import Progress
    from llm_orc.providers.limits import SlowedDown

_PLAIN_EVERY_S = 10.0
_WORTH_SAYING_S = 1.0


class BatchView:
    """Shows progress on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._paints = not quiet and moves_cursor(sys.stderr)
        self._is_painted = False
        self._said_at = 0.0
        self._said = ""

    def show(self, progress: Progress) -> None:
        words = progress_words(progress)
        if self._quiet or words == self._said:
            return
        if self._paints:
            self._paint(words)
        elif progress.batch.state != "open" or time.monotonic() - self._said_at >= _PLAIN_EVERY_S:
            note(words)
            self._said_at = time.monotonic()
        self._said = words

    def _paint(self, words: str) -> None:
        width = columns(sys.stderr) or 80
        sys.stderr.write(f"\r\x1b[2K{cut(words, width - 1)}")
        sys.stderr.flush()
        self._is_painted = True

    def close(self) -> None:
        """End the line that was painted, so that the next words begin one of their own."""
        if self._is_painted:
            note()
            self._is_painted = False


def progress_words(progress: Progress) -> str:
    """`412 of 2,000 rows done, 3 failed, 32 in flight, 12.4 rows/s, 2 min 08 s left, metered $0.42 (12 calls)`."""
    counts = progress.batch.counts
    failed = counts.get("failed", 0) + counts.get("completed_with_errors", 0)
    cancelled = counts.get("cancelled", 0)
    parts = [f"{progress.ended - cancelled:,} of {count(progress.batch.total, 'row')} done"]
    if failed:
        parts.append(f"{failed:,} failed")
    if cancelled:
        parts.append(f"{cancelled:,} cancelled")
    if progress.in_flight:
        parts.append(f"{progress.in_flight:,} in flight")
    if progress.batch.waiting and progress.rows_per_s is not None:
        parts.append(f"{progress.rows_per_s:.1f} rows/s")
    if progress.batch.waiting and progress.remaining_s is not None:
        parts.append(f"{seconds(progress.remaining_s)} left")
    parts += map(_slowed_words, progress.slowed_down)
    if progress.spend:
        parts.append(spend_words(progress.spend))
    return ", ".join(parts)


def _slowed_words(slowed: SlowedDown) -> str:
    """`openai is busy (4 calls at once, next in 12 s)`."""
    how = [f"{count(slowed.at_once, 'call')} at once"] if slowed.at_once is not None else []
    if slowed.pause_s >= _WORTH_SAYING_S:
        how.append(f"next in {seconds(slowed.pause_s)}")
    return f"{slowed.provider} is busy" + (f" ({', '.join(how)})" if how else "")
