"""A batch's progress: one line that is repainted in a terminal, or a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from llm_orc.cli.batch.values import asking_words, waiting_words
from llm_orc.cli.shell.output.streams import columns, moves_cursor, note
from llm_orc.cli.shell.output.tables import cell_width, cut
from llm_orc.formats.batch import spend_words
from llm_orc.formats.figures import count, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.app.batches.carry_out import Progress
    from llm_orc.providers.limits.limiter import SlowedDown

_PLAIN_EVERY_S = 10.0
_WORTH_SAYING_S = 1.0
_NO_TERMINAL = 80
_LEFT_OUT_FIRST = ("rate", "in flight", "left", "busy", "cancelled", "failed")


class BatchView:
    """Shows progress on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._paints = not quiet and moves_cursor(sys.stderr)
        self._is_painted = False
        self._said_at = 0.0
        self._said = ""

    def show(self, progress: Progress) -> None:
        width = (columns(sys.stderr) or _NO_TERMINAL) - 1
        words = progress_words(progress, width if self._paints else None)
        if self._quiet or words == self._said:
            return
        if self._paints:
            self._paint(cut(words, width))
        elif progress.batch.state != "open" or time.monotonic() - self._said_at >= _PLAIN_EVERY_S:
            note(words)
            self._said_at = time.monotonic()
        self._said = words

    def _paint(self, words: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{words}")
        sys.stderr.flush()
        self._is_painted = True

    def close(self) -> None:
        """End the painted line, so that the next message starts on a new one."""
        if self._is_painted:
            note()
            self._is_painted = False


def progress_words(progress: Progress, width: int | None = None) -> str:
    """`412 of 2,000 rows done, 3 failed, 32 in flight, 12.4 rows/s, 2 min 08 s left, metered $0.42 (12 calls)`.

    What doesn't fit into `width` characters is left out; who pays is left out last.
    """
    counts = progress.batch.counts
    failed = counts.get("failed", 0) + counts.get("completed_with_errors", 0)
    cancelled = counts.get("cancelled", 0)
    waits = progress.batch.waiting > progress.batch.asking
    parts = {
        "done": f"{progress.ended - cancelled:,} of {count(progress.batch.total, 'row')} done",
        "failed": f"{failed:,} failed" if failed else "",
        "cancelled": f"{cancelled:,} cancelled" if cancelled else "",
        "in flight": f"{progress.in_flight:,} in flight" if progress.in_flight else "",
        "rate": f"{progress.rows_per_s:.1f} rows/s" if waits and progress.rows_per_s is not None else "",
        "left": f"{seconds(progress.remaining_s)} left" if waits and progress.remaining_s is not None else "",
        "asking": asking_words(progress.batch),
        "waiting": waiting_words(progress.batch, time.time()),
        "busy": ", ".join(map(_slowed_words, progress.slowed_down)),
        "spend": spend_words(progress.spend),
    }
    for least in _LEFT_OUT_FIRST:
        if width is None or cell_width(_joined(parts)) <= width:
            break
        parts[least] = ""
    return _joined(parts)


def _joined(parts: Mapping[str, str]) -> str:
    return ", ".join(filter(None, parts.values()))


def _slowed_words(slowed: SlowedDown) -> str:
    """`openai is busy for 12 s`."""
    how_long = f" for {seconds(slowed.pause_s)}" if slowed.pause_s >= _WORTH_SAYING_S else ""
    return f"{slowed.provider} is busy{how_long}"
