"""Times on the command line: dates, ISO times, ages and days, in the machine's time zone."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from llm_orc.cli.shell.values.moments import parse_moment

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = "2026-03-29T12:00:00+02:00"  # the day on which summer time begins in Berlin, at 2:00


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("Windows takes no time zone from the environment")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-28", "2026-03-28T00:00:00+01:00"),
        ("2026-03-29", "2026-03-29T00:00:00+01:00"),
        ("2026-03-28 21:09", "2026-03-28T21:09:00+01:00"),
        ("2026-03-28T21:09Z", "2026-03-28T21:09:00+00:00"),
        ("2026-03-28T21:09:00.250-05:00", "2026-03-28T21:09:00.250-05:00"),
        ("today", "2026-03-29T00:00:00+01:00"),
        ("Yesterday", "2026-03-28T00:00:00+01:00"),
        ("3h", "2026-03-29T09:00:00+02:00"),
        ("90min", "2026-03-29T10:30:00+02:00"),
        ("90m", "2026-03-29T10:30:00+02:00"),
        ("30 s", "2026-03-29T11:59:30+02:00"),
        ("2d", "2026-03-27T11:00:00+01:00"),
        ("2 days ago", "2026-03-27T11:00:00+01:00"),
        ("1.5 weeks", "2026-03-18T23:00:00+01:00"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    now = datetime.fromisoformat(NOON).timestamp()

    assert parse_moment(text, now) == datetime.fromisoformat(meant).timestamp()


@pytest.mark.parametrize(
    "text", ["", "soon", "3", "nan", "inf d", "-2d", "2 moons", "tomorrow", "2026-13-01", "9" * 99]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text, 0.0)
