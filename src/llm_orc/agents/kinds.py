"""The kinds of agent, one row each: everything that differs between kinds is looked up here."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.path import child_of, path_of
from llm_orc.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llm_orc.agents.kind import Kind
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.agents.work import Needs, Work

_kinds = {kind.key: kind for kind in (MODEL,)}

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


def all_agents(graph: AgentGraph, within: AgentPath | None = None) -> Iterator[tuple[AgentPath, AgentSpec]]:
    """Yield every agent of the graph with its path, each before those that may run within it."""
    for spec in graph.agents:
        path = path_of(spec.name) if within is None else child_of(within, spec.name)
        yield path, spec
        for child in kind_of(spec.work).children(spec.work).values():
            yield from all_agents(child, path)
