"""The table of sources, in the order in which they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.sources.ant_profile import in_ant_profile
from llm_orc.auth.sources.configured import in_configuration
from llm_orc.auth.sources.environment import in_environment
from llm_orc.auth.sources.store import in_older_store, in_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_orc.auth.sources.source import FoundCredential, Places, Wanted

# What its user set up comes first; all after it was only found.
SOURCES: tuple[Callable[[Wanted, Places], Iterator[FoundCredential]], ...] = (
    in_configuration,
    in_store,
    in_older_store,
    in_environment,
    in_ant_profile,
)


def find_credentials(wanted: Wanted, places: Places) -> tuple[FoundCredential, ...]:
    """Return all that there is of one provider, in order, whatever its state."""
    return tuple(found for look in SOURCES for found in look(wanted, places))
