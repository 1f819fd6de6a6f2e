"""The earliest time of a refresh, in each form in which a server may write it."""

from __future__ import annotations

import pytest

from llm_orc.auth.oauth.refresh_time import earliest_refresh_at

RECEIVED = 1_795_000_000.0
THEN = RECEIVED + 3240.0


@pytest.mark.parametrize(
    ("value", "earliest"),
    [
        (None, None),
        ("", None),
        (THEN, THEN),
        (int(THEN), THEN),
        (str(int(THEN)), THEN),
        (THEN * 1000, THEN),
        ("2026-11-18T12:00:40Z", THEN),
        ("2026-11-18T13:00:40+01:00", THEN),
        ("2026-11-18T12:00:40", THEN),
        (3240, THEN),  # no date, but a span
        ("3240", THEN),
        (-5, RECEIVED),
    ],
)
def test_each_form_is_understood(value: object, earliest: float | None) -> None:
    assert earliest_refresh_at(value, RECEIVED, 0.0, 3600.0) == earliest


@pytest.mark.parametrize(
    "value", ["soon", True, {"at": THEN}, [THEN], "nan", float("inf"), "9999999999999999999x"]
)
def test_what_can_t_be_read_counts_as_the_end_of_the_token(value: object) -> None:
    assert earliest_refresh_at(value, RECEIVED, 0.0, 3600.0) == RECEIVED + 3600.0


def test_it_is_by_our_own_clock() -> None:
    assert earliest_refresh_at(THEN, RECEIVED, 100.0, 3600.0) == THEN - 100.0


def test_without_an_end_of_the_token_it_is_practically_never() -> None:
    found = earliest_refresh_at("soon", RECEIVED, None, None)

    assert found is not None
    assert found > RECEIVED + 86_400 * 365
