"""A moment as people think of it: how long from now."""

from __future__ import annotations

from llm_orc.formats.figures import seconds


def relative(moment: float, now: float) -> str:
    """`in 55 min 10 s`, `12 s ago`; days where it is more than two."""
    distance = abs(moment - now)
    words = f"{distance / 86400:.0f} days" if distance > 2 * 86400 else seconds(distance)
    return f"in {words}" if moment > now else f"{words} ago"
