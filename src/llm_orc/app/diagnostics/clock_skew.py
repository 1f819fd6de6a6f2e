"""A clock that is off: what is said of it, wherever it shows, and what to do."""

from __future__ import annotations

NOTABLE_S = 300.0
CURE = "Set this machine's clock by the network's time."


def skew_words(whose: str, skew_s: float) -> str:
    """Say how far off this machine's clock is; `skew_s` is theirs minus ours.

    Tokens are kept by when they came and what the provider says of them, so no sign-in ends by it. Certificates
    and the times of runs are read by our clock alone.
    """
    way = "behind" if skew_s > 0 else "ahead of"
    minutes = f"{abs(skew_s) / 60:.0f} min"
    return (
        f"this machine's clock is {minutes} {way} that of {whose}: sign-ins go on,"
        " but certificates may look invalid and the times of runs are wrong"
    )
