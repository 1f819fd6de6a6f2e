"""Put the agents in an order in which everything an agent needs comes before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_orc.agents.spec import AgentSpec
from llm_orc.errors import EnsembleCycle

if TYPE_CHECKING:
    from llm_orc.ensembles.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class Plan:
    """`order` is topological and, among free agents, that of the YAML. `dependants` has a key for each agent."""

    ensemble: str
    order: tuple[AgentSpec, ...]
    dependants: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.order)


def make_plan(ensemble: Ensemble) -> Plan:
    """Return the plan of `ensemble`. Raises `EnsembleCycle`, which parsing has ruled out for YAML."""
    specs = {a.name: a for a in ensemble.agents}
    dependants: dict[str, list[str]] = {name: [] for name in specs}
    missing = {}
    for spec in ensemble.agents:
        missing[spec.name] = len(spec.depends_on)
        for needed in spec.depends_on:
            dependants[needed].append(spec.name)

    order = [name for name, count in missing.items() if count == 0]
    for name in order:  # grows while we walk it
        for dependant in dependants[name]:
            missing[dependant] -= 1
            if missing[dependant] == 0:
                order.append(dependant)

    if len(order) < len(specs):
        stuck = sorted(specs.keys() - set(order))
        raise EnsembleCycle(f"agents of `{ensemble.name}` wait for each other: {', '.join(stuck)}", cycle=stuck)
    return Plan(
        ensemble=ensemble.name,
        order=tuple(specs[name] for name in order),
        dependants={name: tuple(found) for name, found in dependants.items()},
    )


def stages(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Return the agents by their distance from the start: a picture for people, not how they are run."""
    depth: dict[str, int] = {}
    for spec in plan.order:
        depth[spec.name] = 1 + max((depth[name] for name in spec.depends_on), default=-1)
    rows: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name, row in depth.items():
        rows[row].append(name)
    return tuple(tuple(row) for row in rows)
