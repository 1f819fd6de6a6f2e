"""The valid, frozen document that everything after parsing works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llm_orc.agents.base import AgentSpec, WhenFull

Place = Literal["project", "user", "packaged", "file"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an ensemble came from. `path` is absolute; `file` means that the user named the path itself."""

    place: Place
    path: str


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

    def agent(self, name: str) -> AgentSpec:
        return next(a for a in self.agents if a.name == name)
