"""Which names in the place of `model` are those of providers, and which keys belong to kinds of agent to come."""

from __future__ import annotations

from llm_orc.catalog.table import row_of

OTHER_KINDS_OF_AGENT = ("script", "ensemble", "loop", "dispatch", "fan_out", "input_key", "when")


def names_a_provider(name: str) -> bool:
    """In the oldest form, `model` names a provider and there is no `provider`."""
    return row_of(name) is not None
