"""The valid, frozen document that everything after parsing works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llm_orc.agents.spec import AgentSpec, WhenFull

Place = Literal["project", "user", "packaged", "file"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an ensemble came from. `path` is absolute; `file` means that the user named the path itself.

    What a project's file or a path says is the user's word only where they trust it (`trusted`); else `withheld`
    has the keys that do not count.
    """

    place: Place
    path: str
    trusted: bool = False
    withheld: tuple[str, ...] = ()

    @property
    def is_users(self) -> bool:
        """Whether what the file says is its user's own word."""
        return self.trusted or self.place in {"user", "packaged"}


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Agents with unique names, whose dependencies exist and form no circle (parsing made sure)."""

    name: str
    agents: tuple[AgentSpec, ...]
    description: str = ""
    default_task: str | None = None
    source: Source | None = None
    conversation: str | None = None  # the conversation that each run goes on with
    when_full: WhenFull | None = None
    max_cost_usd: float | None = None  # of each run, over metered accesses
    max_calls: int | None = None  # of each run, retries included

    @property
    def is_users(self) -> bool:
        """Whether what it says is its user's own word; what a program made itself is."""
        return self.source is None or self.source.is_users

    def agent(self, name: str) -> AgentSpec:
        return next(a for a in self.agents if a.name == name)
