"""The limits that the files of ensembles within agents set: each holds for everything that one such agent runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.budget import Budget
from llm_orc.agents.kinds import graphs_within
from llm_orc.agents.path import model_key, paths_around
from llm_orc.agents.spec import NestedEnsemble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.spec import AgentGraph

Spent = tuple[float, int]
"""US dollars, as far as they count, and calls."""


def limited_within(graph: AgentGraph) -> Mapping[str, NestedEnsemble]:
    """Return the ensembles within that have limits, by their place in the plan."""
    return {
        model_key(path): child
        for path, child in graphs_within(graph)
        if isinstance(child, NestedEnsemble) and (child.max_cost_usd is not None or child.max_calls is not None)
    }


class BudgetsWithin:
    """The budgets that hold for an agent because it runs within others; each item and round has one of its own."""

    def __init__(self, limited: Mapping[str, NestedEnsemble], spent: Callable[[AgentPath], Spent]) -> None:
        """`spent` says what everything below a path has spent in earlier processes."""
        self._limited, self._spent = limited, spent
        self._budgets: dict[AgentPath, Budget] = {}

    def __call__(self, agent: AgentPath) -> tuple[Budget, ...]:
        """Return the budgets for the calls of one agent, the outermost first."""
        return tuple(self._at(path, model_key(path)) for path in paths_around(agent) if self._has_limit(path))

    def _has_limit(self, path: AgentPath) -> bool:
        return model_key(path) in self._limited

    def _at(self, path: AgentPath, place: str) -> Budget:
        if path not in self._budgets:
            child = self._limited[place]
            spent_usd, calls = self._spent(path)
            self._budgets[path] = Budget(
                child.max_cost_usd, spent_usd, max_calls=child.max_calls, calls=calls, of=child.name
            )
        return self._budgets[path]
