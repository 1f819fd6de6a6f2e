"""What an agent is: its place in the graph of its ensemble, and its work."""

from __future__ import annotations

from dataclasses import field
from typing import Literal, Protocol

from llm_orc.agents.budgets.ceilings import NO_CEILINGS, Ceilings
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.samples.spec import Samples
from llm_orc.agents.work import Graph, ModelWork, Work
from llm_orc.dataclass import dataclass

Requires = Literal["all", "any", "none"] | int
"""How many of the agents that one needs must have answered; a number: it starts as soon as so many have."""
Sees = Literal["all", "task", "dependencies"]
Place = Literal["project", "user", "packaged", "file"]
TaskUse = Literal["optional", "none", "required"]
"""Whether a run takes a task. `optional`: where none is given, it is the default, if there is one."""
Caching = Literal["use", "refresh", "off"]
"""What a person asked for: answers of before for agents with `cache`, new ones in their place, or neither."""
WhenFull = Literal["error", "truncate-oldest", "summarise"]
"""What happens when a conversation no longer fits its model."""


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

    @property
    def source(self) -> Source | None:
        """The file that it came from; None: that of what is around it, or none."""
        ...


@dataclass(frozen=True, slots=True)
class CacheUse:
    """An answer of before is given again, if nothing that shapes it has changed; None: however old it is."""

    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent as its author wrote it: what it does, after which others, how long it may take."""

    name: str
    work: Work = field(default_factory=ModelWork)
    depends_on: tuple[str, ...] = ()
    requires: Requires = "all"
    within_s: float | None = None  # how long it waits for all that it needs, from when the first of them starts
    timeout_s: float | None = None
    conversation: bool | None = None  # None: as the ensemble or the command line says
    when: str | None = None  # the condition under which it runs
    cache: CacheUse | None = None  # None: it is always asked
    save_as: str | None = None  # the file below the working directory that its answer is written to
    sees: Sees = "all"  # what its prompt is made of, if it has none of its own
    handles_failure: bool = False  # given although none of those that it needs is there, its answer counts as none
    is_earlier: bool = False  # of a file of an earlier release, where a condition on a missing field is false
    input_key: str | None = None  # it gets this field of what its first dependency answered, and nothing else
    fan_out: FanOut | None = None  # None: it runs once
    samples: Samples | None = None  # None: it, or each of its items, is asked once
    attachments: tuple[str, ...] | None = None  # references to files, or paths; None: those of a task that it sees
    ceilings: Ceilings = NO_CEILINGS  # of its whole turn: all that runs within it, its items and samples too

    @property
    def saves(self) -> bool:
        """Whether its answer is written to a file: over items, each item's is."""
        return self.save_as is not None and self.fan_out is None

    @property
    def repeats(self) -> bool:
        """Whether its turn is made of several turns of the same agent."""
        return self.fan_out is not None or self.samples is not None

    @property
    def may_start_early(self) -> bool:
        """Whether it may start before all that it needs have ended."""
        return self.within_s is not None or isinstance(self.requires, int)


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """What is wrong with an agent, at a key of it in a file; `within` is the place in the key's value."""

    key: str
    message: str
    hint: str | None = None
    within: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentGroup:
    """An `AgentGraph` and nothing else."""

    name: str
    agents: tuple[AgentSpec, ...]
    inputs: tuple[InputSpec, ...] = ()
    answer: str = ""
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class NestedEnsemble(Graph):
    """An ensemble as it runs within an agent. What its file says of whole runs alone is left out.

    The limits are those of everything that runs within that agent. `is_body`: it is the body of a loop, written in
    the loop itself: its agents may also refer to whatever is known around the loop, to the rounds, and to the
    answers of the round before.
    """

    name: str
    agents: tuple[AgentSpec, ...]
    inputs: tuple[InputSpec, ...] = ()
    answer: str = ""
    task: TaskUse = "optional"
    source: Source | None = None
    max_cost_usd: float | None = None
    max_calls: int | None = None
    is_body: bool = False
    max_total_tokens: int | None = None
    description: str = ""

    @property
    def ceilings(self) -> Ceilings:
        return Ceilings(self.max_cost_usd, self.max_calls, self.max_total_tokens)
