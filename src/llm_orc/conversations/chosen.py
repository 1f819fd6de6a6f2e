"""What a person has chosen within a conversation, and keeps when it continues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

import msgspec

from llm_orc.agents.spec import WhenFull
from llm_orc.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Chosen:
    """By agent: its role (empty: none), and its model as it was typed. `when_full` None: not chosen."""

    roles: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    when_full: WhenFull | None = None

    def with_role(self, agent: str, text: str | None) -> Chosen:
        """`text` None: none is chosen any more."""
        return replace(self, roles=_changed(self.roles, agent, text))

    def with_model(self, agent: str, text: str | None) -> Chosen:
        """`text` None: none is chosen any more."""
        return replace(self, models=_changed(self.models, agent, text))

    def __bool__(self) -> bool:
        return bool(self.roles or self.models or self.when_full)


def _changed(values: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    others = {other: kept for other, kept in values.items() if other != name}
    return others if value is None else others | {name: value}


class _Stored(msgspec.Struct, omit_defaults=True):
    roles: dict[str, str] = {}
    models: dict[str, str] = {}
    when_full: WhenFull | None = None


def encode_chosen(chosen: Chosen) -> str:
    stored = _Stored(dict(chosen.roles), dict(chosen.models), chosen.when_full)
    return msgspec.json.encode(stored).decode()


def decode_chosen(text: str) -> Chosen:
    """Raises `ValueError` for what this release did not write."""
    stored = msgspec.json.decode(text, type=_Stored)
    return Chosen(stored.roles, stored.models, stored.when_full)
