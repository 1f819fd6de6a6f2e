"""The valid, frozen document that everything after parsing works on."""

from __future__ import annotations

from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.spec import AgentSpec, NestedEnsemble, Source, TaskUse, WhenFull
from llm_orc.dataclass import dataclass


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
    max_total_tokens: int | None = None  # of each run, over all accesses

    def __repr__(self) -> str:
        names = [agent.name for agent in self.agents]
        return f"Ensemble(name={self.name!r}, agents={names!r})"

    @property
    def is_users(self) -> bool:
        """Whether its content counts as the user's own choice; that of a Python program does."""
        return self.source is None or self.source.is_users

    @property
    def ceilings(self) -> Ceilings:
        """What each run may spend."""
        return Ceilings(self.max_cost_usd, self.max_calls, self.max_total_tokens)

    def nested(self) -> NestedEnsemble:
        """Return it as it runs within an agent of another ensemble."""
        return NestedEnsemble(
            self.name,
            self.agents,
            self.inputs,
            self.answer,
            self.task,
            self.source,
            self.max_cost_usd,
            self.max_calls,
            max_total_tokens=self.max_total_tokens,
            description=self.description,
        )

    def body(self) -> NestedEnsemble:
        """Return its agents as those of a loop, which also know what is known around the loop, and the rounds."""
        return NestedEnsemble(self.name, self.agents, answer=self.answer, is_body=True)

    def agent(self, name: str) -> AgentSpec:
        return next(a for a in self.agents if a.name == name)
