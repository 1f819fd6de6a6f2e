"""What an agent is: its place in the graph of its ensemble, and its work."""

from __future__ import annotations

from dataclasses import field
from typing import Literal, Protocol

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.work import ModelWork, Work
from llm_orc.dataclass import dataclass

Requires = Literal["all", "any", "none"] | int
"""How many of the agents that one needs must have answered; a number: it starts as soon as so many have."""
Sees = Literal["all", "task", "dependencies"]
WhenFull = Literal["error", "truncate-oldest", "summarise"]
"""What happens when a conversation no longer fits its model."""


class AgentGraph(Protocol):
    """Agents that run together and may depend on each other: an ensemble, or what runs within an agent."""

    @property
    def name(self) -> str: ...
    @property
    def agents(self) -> tuple[AgentSpec, ...]: ...
    @property
    def inputs(self) -> tuple[InputSpec, ...]: ...
    @property
    def answer(self) -> str:
        """The agent whose answer is that of the whole; empty: the last one."""
        ...


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent as its author wrote it: what it does, after which others, how long it may take."""

    name: str
    work: Work = field(default_factory=ModelWork)
    depends_on: tuple[str, ...] = ()
    requires: Requires = "all"
    timeout_s: float | None = None
    conversation: bool | None = None  # None: as the ensemble or the command line says
    when: str | None = None  # the condition under which it runs
    sees: Sees = "all"  # what its prompt is made of, if it has none of its own


@dataclass(frozen=True, slots=True)
class AgentGroup:
    """An `AgentGraph` and nothing else."""

    name: str
    agents: tuple[AgentSpec, ...]
    inputs: tuple[InputSpec, ...] = ()
    answer: str = ""
