"""The work of an agent that runs one of several ensembles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.work import Work
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue


@dataclass(frozen=True, slots=True)
class DispatchWork(Work):
    """Run the ensemble that `by`, with references filled in, chooses in the table `to`; its answer is the agent's.

    `otherwise` runs for all that is not in `to`; None: the agent fails then. Each ensemble gets those of the
    `inputs` that it declares.
    """

    by: str
    to: Mapping[str, str | NestedEnsemble]
    otherwise: str | NestedEnsemble | None = None
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    task: str | None = None
    kind: str = field(default="dispatch", init=False, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether nothing says yet what may run: the older form without `choices`, before names are looked up."""
        return not self.to and self.otherwise is None

    @property
    def targets(self) -> Mapping[str, str | NestedEnsemble]:
        """All ensembles that may run, by what chooses each."""
        return self.to if self.otherwise is None else {**self.to, "otherwise": self.otherwise}
