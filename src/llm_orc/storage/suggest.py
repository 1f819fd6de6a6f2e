"""Find the known names that a misspelled one probably stands for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 80  # characters; comparing is quadratic in them
_MOST = 2000  # names


def closest_names(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """Return up to `limit` of `known` that look like `name`, best first; case is ignored."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(_folded(candidate), candidate)
        if len(by_folded) >= _MOST:
            break
    close = get_close_matches(_folded(name), by_folded, n=limit, cutoff=0.6)
    return [by_folded[match] for match in close]


def slip_of(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` must be a misspelling of; None: it may well be another name.

    In a misspelling one letter in four is wrong, missing, added or swapped, or the last words are left out:
    `timeout` for `timeout_seconds`.
    """
    folded = _folded(name)
    for candidate in known:
        other = _folded(candidate)
        if other.startswith(f"{folded}-") or _distance(folded, other) <= max(1, len(other) // 4):
            return candidate
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the question to ask, or None if nothing is close."""
    found = closest_names(name, known)
    if not found:
        return None
    quoted = [f"`{candidate}`" for candidate in found]
    return f"Did you mean {' or '.join(quoted)}?"


def _distance(one: str, other: str) -> int:
    """The number of letters to change, remove, add or swap with the next (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]


def _folded(name: str) -> str:
    return name[:_LONGEST].casefold().replace("_", "-").replace(" ", "-")
