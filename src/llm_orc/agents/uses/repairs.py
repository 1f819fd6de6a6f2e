"""How often the answer of an agent may be sent back, which makes more calls, with more in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents
from llm_orc.agents.work import ModelWork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.spec import AgentGraph

SENT_BACK = 2_000
"""Characters of what is wrong with an answer, at most about."""


def repairs_of(graph: AgentGraph) -> Mapping[str, int]:
    """Return how many repairs an answer may take, for each agent that has a schema, by its place in the plan."""
    return {
        path: spec.work.repairs
        for path, spec in all_agents(graph)
        if isinstance(spec.work, ModelWork) and spec.work.answer_schema is not None
    }
