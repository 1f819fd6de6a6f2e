"""Why rows have failed, in few words."""

from __future__ import annotations

from llm_orc.batches.batch import Failures
from llm_orc.cli.batch.values import failure_lines


def test_a_reason_names_the_first_rows_and_is_one_short_printable_line() -> None:
    [line] = failure_lines([Failures("server_error", "\x1b[31mbad\n" + "x" * 9000, 12, (1, 2, 3, 4, 5))])

    assert line.startswith("12 rows failed (1, 2, 3, 4, 5, …): server_error: \\x1b[31mbad xxx")
    assert line.endswith("x…")
    assert len(line) < 300


def test_rare_reasons_are_only_counted() -> None:
    failures = [Failures(f"code{n}", "why", 9 - n, (n,)) for n in range(1, 6)]

    assert list(failure_lines(failures))[2:] == [
        "6 rows failed (3, …): code3: why",
        "9 rows failed for other reasons",
    ]


def test_without_failures_nothing_is_said() -> None:
    assert list(failure_lines([])) == []
