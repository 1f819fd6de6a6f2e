"""The table of sources, in the order in which they count for a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.sources.ant_profile import in_ant_profile
from llm_orc.auth.sources.configured import in_configuration
from llm_orc.auth.sources.environment import in_environment
from llm_orc.auth.sources.source import Source
from llm_orc.auth.sources.store import in_older_store, in_store
from llm_orc.auth.sources.token_command import NAME, in_token_command

if TYPE_CHECKING:
    from llm_orc.auth.sources.source import FoundCredential, Places, Wanted

# What the user set up comes first; everything after it was only found. The table is open: a row may be added.
_ROWS = (
    Source("configuration", in_configuration, "the configuration names it, and that takes precedence", rank=4),
    Source(NAME, in_token_command, "the configuration names it", rank=4),
    Source("store", in_store, "you set it up with `llm-orc auth add`", rank=0),
    Source(
        "older-store",
        in_older_store,
        "an earlier release left it; nothing that you set up takes precedence",
        rank=3,
    ),
    Source("environment", in_environment, "nothing else is set up", rank=4),
    Source("profile", in_ant_profile, "nothing else is set up", rank=5),
)
SOURCES: dict[str, Source] = {row.name: row for row in _ROWS}


def find_credentials(wanted: Wanted, places: Places) -> tuple[FoundCredential, ...]:
    """Return all credentials of one provider, in order, whatever their state."""
    return tuple(found for source in SOURCES.values() for found in source.find(wanted, places))
