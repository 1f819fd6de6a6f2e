"""The sign-in of Anthropic's own tool, which stores and refreshes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.sources.source import FoundCredential, Places, Wanted
from llm_orc.auth.standing import ANT_SIGN_IN, standing_of
from llm_orc.auth.stores.ant_profile import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_ant_profile(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    if wanted.provider != PROVIDER or (entry := places.ant.entry) is None:
        return
    origin = entry.origin or wanted.origin
    standing = standing_of(entry, places.clock(), origin, places.refusals, "its own tool refreshes it")
    yield FoundCredential(
        "profile",
        "oauth",
        f"the profile `{entry.account}` of `{ANT_SIGN_IN}`",
        f"sign-in of `{ANT_SIGN_IN}` (profile `{entry.account}`)",
        standing,
        entry=entry,
    )
