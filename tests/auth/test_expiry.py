"""When a token is renewed: in good time for its lifetime."""

from __future__ import annotations

import pytest

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.auth.tokens.expiry import Urgency, urgency


@pytest.mark.parametrize(
    ("lifetime_s", "left_s", "expected"),
    [
        (28_800, 301, Urgency.FRESH),
        (28_800, 299, Urgency.DUE),
        (28_800, 31, Urgency.DUE),
        (28_800, 29, Urgency.OVERDUE),
        (28_800, 0, Urgency.EXPIRED),
        (400, 101, Urgency.FRESH),  # min(300, 400/4)
        (400, 99, Urgency.DUE),
        (400, 19, Urgency.OVERDUE),  # min(30, 400/20)
        (2, 0.6, Urgency.FRESH),
        (2, 0.4, Urgency.DUE),
        (2, 0.09, Urgency.OVERDUE),
    ],
)
def test_a_token_is_renewed_in_good_time_for_its_lifetime(
    lifetime_s: float, left_s: float, expected: Urgency
) -> None:
    token = OAuthToken(Secret("t"), issued_at=1000.0, expires_at=1000.0 + lifetime_s)

    assert urgency(token, 1000.0 + lifetime_s - left_s) is expected


def test_a_token_whose_end_nobody_told_is_used_until_it_is_refused() -> None:
    assert urgency(OAuthToken(Secret("t"), issued_at=0.0), 10**10) is Urgency.FRESH


def test_without_a_known_start_the_longest_windows_hold() -> None:
    assert urgency(OAuthToken(Secret("t"), expires_at=1000.0), 701.0) is Urgency.DUE
