"""The ceilings within a run: of agents, and of the files of ensembles within agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import NOTHING, Ceilings
from llm_orc.agents.kinds import all_agents, graphs_within
from llm_orc.agents.path import AgentPath, model_key, whole_of
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.budgets.ceilings import Spent
    from llm_orc.agents.spec import AgentGraph


@dataclass(frozen=True, slots=True)
class Bound:
    """Ceilings that hold for all calls at a path and below it. `of` says what has them in its file."""

    path: AgentPath
    ceilings: Ceilings
    of: str


class CeilingsWithin:
    """The ceilings that hold for a call because of where its agent is.

    Those of an agent hold for its whole turn, with all its items, samples and rounds; those in the file of an
    ensemble for each time that it runs within an agent.
    """

    def __init__(self, graph: AgentGraph) -> None:
        agents = ((model_key(path), spec.ceilings) for path, spec in all_agents(graph))
        self._of_agents = {place: ceilings for place, ceilings in agents if ceilings.limited}
        self._of_ensembles = {
            model_key(path): child
            for path, child in graphs_within(graph)
            if isinstance(child, NestedEnsemble) and child.ceilings.limited
        }

    def __bool__(self) -> bool:
        return bool(self._of_agents or self._of_ensembles)

    def around(self, agent: AgentPath) -> tuple[Bound, ...]:
        """Return those that hold for the calls of one agent, the outermost first."""
        if not self:
            return ()
        bounds = []
        ends = [i for i, letter in enumerate(agent) if letter == "/"]
        for end in (*ends, len(agent)):
            path = AgentPath(agent[:end])
            place = model_key(path)
            if (ceilings := self._of_agents.get(place)) is not None:
                bounds.append(Bound(whole_of(path), ceilings, f"agent `{place}`"))
            if end < len(agent) and (child := self._of_ensembles.get(place)) is not None:
                bounds.append(Bound(path, child.ceilings, f"ensemble `{child.name}`"))
        return tuple(bounds)


class BudgetsWithin:
    """The budgets of a run that hold for an agent because of where it is."""

    def __init__(self, ceilings: CeilingsWithin, spent: Mapping[tuple[AgentPath, str], Spent]) -> None:
        """`spent` is what earlier processes have spent below each bound, by its path and whose it is."""
        self._ceilings, self._spent = ceilings, spent
        self._budgets: dict[tuple[AgentPath, str], Budget] = {}

    def __call__(self, agent: AgentPath) -> tuple[Budget, ...]:
        """Return the budgets for the calls of one agent, the outermost first."""
        return tuple(self._of(bound) for bound in self._ceilings.around(agent))

    def _of(self, bound: Bound) -> Budget:
        key = (bound.path, bound.of)
        if key not in self._budgets:
            self._budgets[key] = Budget(bound.ceilings, self._spent.get(key, NOTHING), of=bound.of)
        return self._budgets[key]
