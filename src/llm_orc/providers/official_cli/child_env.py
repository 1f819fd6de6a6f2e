"""The environment of an official CLI: built from an allow-list, never by removing variables.

A key, an address or a cloud switch that the list does not name can't move the child to another account or bill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.processes.environment import is_needed
from llm_orc.providers.redact import remember_secret_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def child_env(environ: Mapping[str, str], also: Collection[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: what any program needs, `also` if set, and `fixed`, which overrides all."""
    seen = {
        name: value
        for name, value in environ.items()
        if is_needed(name) or name in also or name == "DBUS_SESSION_BUS_ADDRESS"
    }
    child = {**seen, **fixed}
    remember_secret_values({name: seen[name] for name in seen.keys() & set(also)})
    return child
