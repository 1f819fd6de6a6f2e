"""Order the agents so that everything an agent needs comes before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import children_of, kind_of
from llm_orc.agents.path import can_be_step
from llm_orc.agents.references.names import Names
from llm_orc.agents.repeats.check import spec_problems
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.uses.graph import answering_agent, names_of, uses_of
from llm_orc.agents.uses.place import names_at
from llm_orc.dataclass import dataclass
from llm_orc.errors import EnsembleCycle, EnsembleInvalid

if TYPE_CHECKING:
    from llm_orc.agents.spec import AgentGraph


@dataclass(frozen=True, slots=True)
class Plan:
    """`order` is topological and, among free agents, that of the YAML. `dependants` has a key for each agent.

    `needs` are the agents that each waits for: those in its `depends_on`, and those that it refers to.
    `children` are the plans of what may run within an agent, by the agent and by the name that its work gives
    them; none for an agent that only its own items run within. `answer` is the agent whose answer is that of the
    whole. `ends` are the agents that may answer for it within another agent, the first one first: if none is
    named, all that no other waits for.
    """

    ensemble: str
    order: tuple[AgentSpec, ...]
    needs: Mapping[str, tuple[str, ...]]
    dependants: Mapping[str, tuple[str, ...]]
    children: Mapping[str, Mapping[str, Plan]]
    answer: str
    ends: tuple[str, ...]
    known: Names = Names()  # what its agents may refer to

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.order)


def make_plan(graph: AgentGraph, from_answers: frozenset[str] = frozenset(), around: Names | None = None) -> Plan:
    """Return the plan of an ensemble, or of what runs within an agent, to which the names `around` are known.

    `from_answers`: see `Names`.

    Raises `EnsembleCycle`, and `EnsembleInvalid` for a name that can't stand in a path, keys that exclude each
    other, a dependency that is no agent, and a reference to nothing. Parsing rules all of them out.
    """
    for spec in graph.agents:
        if not can_be_step(spec.name):
            raise EnsembleInvalid(f"agent `{spec.name}` of `{graph.name}` has `/`, `[` or `]` in its name")
        for problem in spec_problems(spec):
            raise EnsembleInvalid(f"`{graph.name}`: {problem.message}", hint=problem.hint)
    uses = uses_of(graph, from_answers=from_answers, around=around)
    for finding in uses.findings:
        raise EnsembleInvalid(f"agent `{finding.agent}` of `{graph.name}`: {finding.message}", hint=finding.hint)
    specs = {a.name: a for a in graph.agents}
    dependants = _dependants(graph, uses.needs)
    known = names_of(graph, from_answers=from_answers, around=around)
    return Plan(
        ensemble=graph.name,
        order=tuple(specs[name] for name in _order(graph, uses.needs, dependants)),
        needs=uses.needs,
        dependants={name: tuple(found) for name, found in dependants.items()},
        children={spec.name: within for spec in graph.agents if (within := _within(spec, known)) or spec.repeats},
        answer=answering_agent(graph, uses.needs),
        ends=_ends(graph, dependants),
        known=known,
    )


def _within(spec: AgentSpec, known: Names) -> dict[str, Plan]:
    children = children_of(spec)
    if not children:
        return {}
    here = names_at(spec, known)
    from_answers = kind_of(spec.work).from_answers(spec, here)
    return {name: make_plan(child, from_answers, here) for name, child in children.items()}


def _dependants(graph: AgentGraph, needs: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    dependants: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for other in needed:
            if other not in dependants:
                raise EnsembleInvalid(f"agent `{name}` of `{graph.name}` depends on `{other}`, which is none")
            dependants[other].append(name)
    return dependants


def _order(
    graph: AgentGraph, needs: Mapping[str, tuple[str, ...]], dependants: Mapping[str, list[str]]
) -> list[str]:
    missing = {name: len(needed) for name, needed in needs.items()}
    order = [name for name, count in missing.items() if count == 0]
    for name in order:  # grows while we walk it
        for dependant in dependants[name]:
            missing[dependant] -= 1
            if missing[dependant] == 0:
                order.append(dependant)
    if len(order) < len(missing):
        stuck = sorted(missing.keys() - set(order))
        raise EnsembleCycle(f"agents of `{graph.name}` wait for each other: {', '.join(stuck)}", cycle=stuck)
    return order


def _ends(graph: AgentGraph, dependants: Mapping[str, list[str]]) -> tuple[str, ...]:
    if graph.answer:
        return (graph.answer,)
    return tuple(spec.name for spec in reversed(graph.agents) if not dependants[spec.name])


def stages(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Return the agents by their distance from the start: for display, not for execution."""
    depth: dict[str, int] = {}
    for spec in plan.order:
        depth[spec.name] = 1 + max((depth[name] for name in plan.needs[spec.name]), default=-1)
    rows: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name, row in depth.items():
        rows[row].append(name)
    return tuple(tuple(row) for row in rows)
