"""How many examples a property is tried with: few in the README's test command, many in `.ci/run`."""

from __future__ import annotations

from hypothesis import settings

THOROUGH = "thorough"


def many(count: int) -> int:
    """Return `count` where properties are tried thoroughly (`--hypothesis-profile`), else a fifth of it."""
    return count if settings.get_current_profile_name() == THOROUGH else count // 5
