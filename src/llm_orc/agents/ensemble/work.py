"""The work of an agent that runs another ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.work import Work
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue


@dataclass(frozen=True, slots=True)
class EnsembleWork(Work):
    """Run an ensemble; its answer is the agent's. A name is looked up before anything runs.

    `inputs` are the values of its declared inputs, in whose texts references are filled in. `task` None: what an
    agent without a prompt is asked.
    """

    ensemble: str | NestedEnsemble
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    task: str | None = None
    kind: str = field(default="ensemble", init=False, repr=False)
