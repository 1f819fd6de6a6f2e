"""Which runs are old enough to be deleted, even if a clock was wrong.

A run is only deleted for its age if more than one run confirms the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNFINISHED = ("open", "interrupted", "waiting")  # `resume` can continue these
_DAY_S = 86_400.0
_DAYS_OF_EVIDENCE = 3


@dataclass(frozen=True, slots=True)
class RunAge:
    """The known age of a run. Runs are ordered by when they were started."""

    run_id: str
    started_at: float
    status: str


def confirmed_now(runs: Iterable[RunAge], now: float) -> float | None:
    """Return the latest time that runs on three days confirm; None if there are runs on fewer days.

    One run under a clock that is a year ahead confirms nothing, however often it is repeated that day. Runs that
    started after `now` had a wrong clock.
    """
    latest: dict[int, float] = {}
    for run in runs:
        if run.started_at <= now:
            day = int(run.started_at // _DAY_S)
            latest[day] = max(run.started_at, latest.get(day, run.started_at))
    days = sorted(latest, reverse=True)
    return latest[days[_DAYS_OF_EVIDENCE - 1]] if len(days) >= _DAYS_OF_EVIDENCE else None


def older_than(runs: Sequence[RunAge], before: float, now: float) -> list[str]:
    """Return the ended runs that started before `before`. No run is older than those started before it."""
    found: list[str] = []
    began_at = float("-inf")
    for run in runs:
        if run.started_at <= now:
            began_at = max(began_at, run.started_at)
            if began_at < before and run.status not in UNFINISHED:
                found.append(run.run_id)
    return found


def forgettable(runs: Sequence[RunAge], keep_days: int, now: float) -> list[str]:
    """Return the runs for the automatic cleanup: ended, and older than `keep_days` at a confirmed time."""
    confirmed = confirmed_now(runs, now)
    return [] if confirmed is None else older_than(runs, confirmed - keep_days * _DAY_S, now)
