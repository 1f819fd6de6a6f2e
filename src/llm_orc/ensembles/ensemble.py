"""The valid, frozen document that everything after parsing works on."""

from __future__ import annotations

from typing import Literal

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.spec import AgentSpec, WhenFull
from llm_orc.dataclass import dataclass

Place = Literal["project", "user", "packaged", "file"]
TaskUse = Literal["optional", "none", "required"]
"""Whether a run takes a task. `optional`: where none is given, it is the default, if there is one."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an ensemble came from. `path` is absolute; `file` means that the user named the path itself.

    The content of a project's file counts as the user's choice only if it is `trusted`; otherwise `withheld` has
    the keys without effect.
    """

    place: Place
    path: str
    trusted: bool = False
    withheld: tuple[str, ...] = ()

    @property
    def is_users(self) -> bool:
        """Whether the file's content counts as the user's own choice."""
        return self.trusted or self.place in {"user", "packaged"}


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Agents with unique names, whose dependencies exist and form no cycle (ensured by parsing)."""

    name: str
    agents: tuple[AgentSpec, ...]
    description: str = ""
    default_task: str | None = None
    source: Source | None = None
    conversation: str | None = None  # the conversation that each run continues
    when_full: WhenFull | None = None
    max_cost_usd: float | None = None  # of each run, over metered accesses
    max_calls: int | None = None  # of each run, retries included
    inputs: tuple[InputSpec, ...] = ()
    task: TaskUse = "optional"
    fails_when: str | None = None  # the condition on the answers under which a completed run has exit code 1
    answer: str = ""  # the agent whose answer is the ensemble's; empty: the plan decides

    def __repr__(self) -> str:
        names = [agent.name for agent in self.agents]
        return f"Ensemble(name={self.name!r}, agents={names!r})"

    @property
    def is_users(self) -> bool:
        """Whether its content counts as the user's own choice; that of a Python program does."""
        return self.source is None or self.source.is_users

    def agent(self, name: str) -> AgentSpec:
        return next(a for a in self.agents if a.name == name)
