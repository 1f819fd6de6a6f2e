"""How many examples a property is tried with: few in the README's test command, many in `.ci/run`."""

from __future__ import annotations

from hypothesis import settings

THOROUGH = "thorough"


def is_thorough() -> bool:
    """Whether properties are tried with many examples, and before the official SDKs, which take seconds to import."""
    return settings.get_current_profile_name() == THOROUGH


def many(count: int, few: int | None = None) -> int:
    """Return `count` where properties are tried thoroughly (`--hypothesis-profile`), else `few`, or a fifth of it."""
    if is_thorough():
        return count
    return count // 5 if few is None else few
