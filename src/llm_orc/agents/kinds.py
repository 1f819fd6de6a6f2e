"""The kinds of agent, one row each: everything that differs between kinds is looked up here."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_orc.agents.approval.kind import APPROVAL
from llm_orc.agents.dispatch.kind import DISPATCH
from llm_orc.agents.ensemble.kind import ENSEMBLE
from llm_orc.agents.judging.judge import JUDGE, judge_of
from llm_orc.agents.loop.kind import LOOP
from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.path import child_of, path_of, top_of
from llm_orc.agents.references.text import Text
from llm_orc.agents.script.kind import SCRIPT
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llm_orc.agents.kind import Kind
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.spec import AgentGraph, AgentSpec, Source
    from llm_orc.agents.work import Needs, Work

_kinds = {kind.key: kind for kind in (MODEL, SCRIPT, ENSEMBLE, DISPATCH, LOOP, APPROVAL)}

KINDS: Mapping[str, Kind] = MappingProxyType(_kinds)


@contextmanager
def added(*rows: Kind) -> Iterator[None]:
    """Add kinds until the context ends. Raises `ValueError` for a key that is taken."""
    before = dict(_kinds)
    try:
        for row in rows:
            if row.key in _kinds:
                raise ValueError(f"there is a kind of agent `{row.key}` already")
            _kinds[row.key] = row
        yield
    finally:
        _kinds.clear()
        _kinds.update(before)


def kind_of(work: Work) -> Kind:
    """Return the row of the work's kind."""
    try:
        return _kinds[work.kind]
    except KeyError:
        raise InternalError(f"no kind of agent is called `{work.kind}`") from None


def needs_of(work: Work) -> Needs:
    """Return what the work needs from outside."""
    return kind_of(work).needs(work)


def children_of(spec: AgentSpec) -> Mapping[str, AgentGraph]:
    """Return the graphs that may run within the agent, by name: those of its work, and a judge of its samples."""
    judge = judge_of(spec)
    within = kind_of(spec.work).children(spec.work)
    return within if judge is None else {**within, JUDGE: judge}


def is_body(graph: AgentGraph) -> bool:
    """Return whether the graph is the body of a loop, written in the loop itself."""
    return isinstance(graph, NestedEnsemble) and graph.is_body


def bodies_of(spec: AgentSpec) -> Mapping[str, NestedEnsemble]:
    """Return the agents that are written in the agent itself, by the key below it that has their list."""
    named = kind_of(spec.work).ensembles(spec.work)
    return {key: graph for key, graph in named.items() if isinstance(graph, NestedEnsemble) and graph.is_body}


def all_agents(graph: AgentGraph, within: AgentPath | None = None) -> Iterator[tuple[AgentPath, AgentSpec]]:
    """Yield every agent of the graph with its path, each before those that may run within it."""
    for path, spec, _ in agents_with_source(graph, within):
        yield path, spec


def agents_that_ask(graph: AgentGraph) -> frozenset[str]:
    """Return the agents of the graph itself that may ask a person, or within which one may."""
    return frozenset(top_of(path) for path, spec in all_agents(graph) if needs_of(spec.work).people)


def tooled_agents(graph: AgentGraph) -> frozenset[str]:
    """Return the places of the agents that have tools, at all depths."""
    return frozenset(path for path, spec in all_agents(graph) if needs_of(spec.work).tools)


def agents_in_file(
    agents: Iterable[AgentSpec], path: tuple[str | int, ...] = ("agents",)
) -> Iterator[tuple[tuple[str | int, ...], AgentSpec]]:
    """Yield the agents that are written in one file, those in loops too, with their places in its document."""
    for i, spec in enumerate(agents):
        yield (*path, i), spec
        for key, body in bodies_of(spec).items():
            yield from agents_in_file(body.agents, (*path, i, *Text(key, "").path))


def graphs_within(graph: AgentGraph, within: AgentPath | None = None) -> Iterator[tuple[AgentPath, AgentGraph]]:
    """Yield what may run within the agents, at all depths, with the path that its agents are put below."""
    for spec in graph.agents:
        path = path_of(spec.name) if within is None else child_of(within, spec.name)
        kind = kind_of(spec.work)
        for name, child in children_of(spec).items():
            below = child_of(path, name) if kind.names_children else path
            yield below, child
            yield from graphs_within(child, below)


def sources_of(graph: AgentGraph) -> tuple[Source, ...]:
    """Return the files that the graph, and what runs within its agents, are from, its own first."""
    found = [graph.source, *(child.source for _, child in graphs_within(graph))]
    return tuple(dict.fromkeys(source for source in found if source is not None))


def agents_with_source(
    graph: AgentGraph, within: AgentPath | None = None, around: Source | None = None
) -> Iterator[tuple[AgentPath, AgentSpec, Source | None]]:
    """Yield the same, with the file that each is from: if one around it is not trusted, that one.

    What a file that is not trusted leads to is not trusted either.
    """
    source = around if graph.source is None or (around is not None and not around.is_users) else graph.source
    for spec in graph.agents:
        path = path_of(spec.name) if within is None else child_of(within, spec.name)
        yield path, spec, source
        kind = kind_of(spec.work)
        for name, child in children_of(spec).items():
            below = child_of(path, name) if kind.names_children else path
            yield from agents_with_source(child, below, source)
