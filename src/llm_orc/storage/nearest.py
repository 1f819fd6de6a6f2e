"""Which of the known names did a person probably mean?"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 80  # characters; comparing is quadratic in them
_MOST = 2000  # names


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """Return up to `limit` of `known` that look like `name`, best first; upper and lower case count as alike."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(_folded(candidate), candidate)
        if len(by_folded) >= _MOST:
            break
    close = get_close_matches(_folded(name), by_folded, n=limit, cutoff=0.6)
    return [by_folded[match] for match in close]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the question to ask, or None where nothing is near."""
    found = nearest(name, known)
    if not found:
        return None
    quoted = [f"`{candidate}`" for candidate in found]
    return f"did you mean {' or '.join(quoted)}?"


def _folded(name: str) -> str:
    return name[:_LONGEST].casefold().replace("_", "-").replace(" ", "-")
