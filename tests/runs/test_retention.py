"""What the clean-up of runs deletes, whatever clocks said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.runs.journal import EndOfTry, Entries, Journal
from llm_orc.runs.retention import RunAge, confirmed_now, forgettable, older_than
from tests.runs.conftest import new_run

DAY_S = 86_400.0
NOW = 20_000 * DAY_S + 7_200
KEEP_DAYS = 90

statuses = st.sampled_from(["open", "interrupted", "completed", "failed", "completed_with_errors"])


def ages(*days_ago: float, status: str = "completed") -> list[RunAge]:
    return [RunAge(f"run-{n}", NOW - days * DAY_S, status) for n, days in enumerate(days_ago)]


def test_old_runs_go_once_runs_on_three_days_say_what_time_it_is() -> None:
    runs = ages(200, 100, 2, 1, 0)

    assert forgettable(runs, KEEP_DAYS, NOW) == ["run-0", "run-1"]
    assert forgettable(runs[:2] + runs[3:], KEEP_DAYS, NOW) == ["run-0"]  # run-1 itself is the third day
    assert forgettable(ages(200, 0, 0, 0), KEEP_DAYS, NOW) == []


@pytest.mark.parametrize("times", [1, 2, 20])
@pytest.mark.parametrize("ahead_days", [91, 365, 36_500])
def test_a_clock_that_is_ahead_for_a_day_deletes_nothing(times: int, ahead_days: int) -> None:
    runs = ages(*range(60, -1, -1))
    wrong = NOW + ahead_days * DAY_S

    for n in range(times):
        runs.append(RunAge(f"wrong-{n}", wrong + 60 * n, "completed"))

        assert forgettable(runs, KEEP_DAYS, wrong + 60 * n + 1) == []
    right = RunAge("right", NOW + DAY_S, "completed")
    assert forgettable([*runs, right], KEEP_DAYS, right.started_at) == []


def test_a_run_under_a_clock_that_is_behind_is_no_older_than_those_before_it() -> None:
    runs = [*ages(3, 2, 1), RunAge("behind", 0.0, "completed"), *ages(0)]

    assert forgettable(runs, KEEP_DAYS, NOW) == []
    assert older_than(runs, NOW - 1.5 * DAY_S, NOW) == ["run-0", "run-1"]


@pytest.mark.parametrize("status", ["open", "interrupted"])
def test_a_run_that_was_stopped_stays_however_old(status: str) -> None:
    runs = ages(900, status=status) + ages(2, 1, 0)

    assert forgettable(runs, KEEP_DAYS, NOW) == older_than(runs, NOW - DAY_S * 800, NOW) == []


@given(st.lists(st.tuples(st.floats(0, 5_000), statuses), max_size=30), st.floats(0, 100_000))
def test_no_single_moment_of_a_clock_deletes_what_others_call_young(
    kept: list[tuple[float, str]], ahead_days: float
) -> None:
    """Whatever the last run's clock says: what it deletes is older than `keep_days` by two other days of runs."""
    runs = [RunAge(f"run-{n}", NOW - days * DAY_S, status) for n, (days, status) in enumerate(kept)]
    last = RunAge("last", NOW + ahead_days * DAY_S, "completed")

    gone = set(forgettable([*runs, last], KEEP_DAYS, last.started_at + 1))

    newest = max((run.started_at for run in runs), default=0.0)
    assert all(run.status not in {"open", "interrupted"} for run in runs if run.run_id in gone)
    assert all(run.started_at < newest - KEEP_DAYS * DAY_S for run in runs if run.run_id in gone)
    confirmed = confirmed_now([*runs, last], last.started_at + 1)
    assert confirmed is None or confirmed <= newest


def test_the_journal_leaves_what_sigterm_has_stopped(journal: Journal) -> None:
    for n, status in enumerate(("completed", "interrupted", "failed")):
        journal.begin(new_run(f"run-{n}", "a", started_at=1000.0 + n))
        end = EndOfTry(f"run-{n}", status, 2000.0, 1, 0.0)
        journal.append(Entries(f"run-{n}", (), end, lambda _failure: None))
    journal.begin(new_run("run-3", "a", started_at=1003.0))
    journal.close()
    again = Journal(journal.path)

    old = again.older_than(5000.0, 6000.0)
    again.close()

    assert old == ["run-0", "run-2"]
