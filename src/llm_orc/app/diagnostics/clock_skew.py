"""A wrong clock: how it is reported, and the fix."""

from __future__ import annotations

NOTABLE_S = 300.0
CURE = "Synchronize this machine's clock with network time."


def skew_words(whose: str, skew_s: float) -> str:
    """Say how wrong this machine's clock is; `skew_s` is theirs minus ours.

    Token lifetimes are relative to when tokens arrived, so no sign-in ends because of it. Certificates and the
    times of runs depend on our clock alone.
    """
    way = "behind" if skew_s > 0 else "ahead of"
    minutes = f"{abs(skew_s) / 60:.0f} min"
    return (
        f"this machine's clock is {minutes} {way} that of {whose}: sign-ins still work,"
        " but certificates may look invalid and the times of runs are wrong"
    )
