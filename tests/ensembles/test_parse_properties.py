from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.spec import AgentSpec
from llm_orc.ensembles.cycles import find_cycles
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleCycle, EnsembleInvalid, Problem

_WORDS = st.sampled_from(
    [
        "name",
        "agents",
        "model",
        "depends_on",
        "a",
        "b",
        "options",
        "requires",
        "task",
        "script",
        "ollama",
        "",
        "x y",
    ]
)
_LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | _WORDS | st.text(max_size=5)
_ANYTHING = st.recursive(
    _LEAVES, lambda d: st.lists(d, max_size=4) | st.dictionaries(_WORDS, d, max_size=5), max_leaves=20
)
_AGENT_LIKE = st.dictionaries(_WORDS, _ANYTHING, max_size=6)
_GRAPHS = st.integers(1, 8).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, n - 1), max_size=4), min_size=n, max_size=n)
)


def never_anything_but_invalid(text: str) -> None:
    agents: tuple[AgentSpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    try:
        agents = parse_ensemble_text(text).ensemble.agents
    except EnsembleInvalid as e:
        problems = e.problems

    assert bool(agents) != bool(problems)
    assert all(p.message for p in problems)
    assert list(problems) == sorted(problems, key=lambda p: (p.line, p.column))


@given(st.text() | st.text(alphabet="ab:-?[]{}&*!|>'\"#%,\n \t<~0.") | st.text(alphabet="name:agts-[]{}, \n"))
def test_any_text_is_an_ensemble_or_invalid(text: str) -> None:
    never_anything_but_invalid(text)


@given(
    st.fixed_dictionaries({"name": _LEAVES, "agents": st.lists(_AGENT_LIKE | _ANYTHING, max_size=4)}) | _ANYTHING
)
def test_any_document_is_an_ensemble_or_invalid(data: Any) -> None:
    never_anything_but_invalid(json.dumps(data))


_NAMES = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=12)
_FREE_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)


@st.composite
def valid_ensembles(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, min_size=1, max_size=6, unique=True))
    agents = []
    for i, name in enumerate(names):
        optional = {
            "depends_on": st.lists(st.sampled_from(names[:i]), unique=True) if i else st.just([]),
            "requires": st.sampled_from(["all", "any", "none"]),
            "system_prompt": _FREE_TEXT,
            "temperature": st.floats(0, 2),
            "max_tokens": st.integers(1, 10**6),
            "timeout_seconds": st.floats(0.001, 10**6),
            "options": st.dictionaries(
                _FREE_TEXT.filter(lambda k: k != "<<"), st.integers(0, 9) | _FREE_TEXT, max_size=3
            ),
            "output_format": st.sampled_from(["text", "json"]),
            "model_profile": _NAMES,
        }
        agents.append(draw(st.fixed_dictionaries({"name": st.just(name)}, optional=optional)))
    agents = draw(st.permutations(agents))
    return {"name": "x", "description": draw(_FREE_TEXT), "default_task": draw(_FREE_TEXT), "agents": agents}


@given(valid_ensembles())
def test_a_valid_ensemble_comes_out_as_it_went_in(data: dict[str, Any]) -> None:
    ensemble = parse_ensemble_text(json.dumps(data, ensure_ascii=False)).ensemble

    assert (ensemble.description, ensemble.default_task) == (data["description"], data["default_task"])
    assert [a.name for a in ensemble.agents] == [a["name"] for a in data["agents"]]
    for agent, written in zip(ensemble.agents, data["agents"], strict=True):
        assert list(agent.depends_on) == written.get("depends_on", [])
        assert agent.requires == written.get("requires", "all")
        assert agent.timeout_s == written.get("timeout_seconds")
        [work] = needs_of(agent.work).models
        assert work.system_prompt == written.get("system_prompt")
        assert work.temperature == written.get("temperature")
        assert work.max_tokens == written.get("max_tokens")
        assert work.options == written.get("options", {})
        assert work.output_format == written.get("output_format", "text")
        assert work.model.profile == written.get("model_profile", "default")


def _has_cycle(graph: dict[str, list[str]]) -> bool:
    """Take agents away that wait for nobody who is left; what stays waits in a circle."""
    left = dict(graph)
    while free := [n for n, wanted in left.items() if not any(w in left for w in wanted)]:
        for name in free:
            del left[name]
    return bool(left)


@given(_GRAPHS)
def test_a_circle_is_reported_if_and_only_if_there_is_one(edges: list[list[int]]) -> None:
    graph = {f"a{i}": [f"a{j}" for j in dict.fromkeys(wanted)] for i, wanted in enumerate(edges)}
    data = {"name": "x", "agents": [{"name": n, "depends_on": wanted} for n, wanted in graph.items()]}

    try:
        parse_ensemble_text(json.dumps(data))
        cycle: tuple[str, ...] = ()
    except EnsembleCycle as e:
        cycle = e.cycle

    assert bool(cycle) == _has_cycle(graph)
    assert cycle[:1] == cycle[-1:]
    assert all(after in graph[before] for before, after in pairwise(cycle))


@given(_GRAPHS)
def test_without_the_reported_circles_agents_no_other_circle_stays_unreported(edges: list[list[int]]) -> None:
    graph = {f"a{i}": [f"a{j}" for j in wanted] for i, wanted in enumerate(edges)}

    cycles = find_cycles(graph)

    agents = [name for cycle in cycles for name in cycle[:-1]]
    assert len(agents) == len(set(agents))
    for knot in _knots(graph):
        assert any(set(cycle) <= knot for cycle in cycles)


def _knots(graph: dict[str, list[str]]) -> list[set[str]]:
    """Sets of agents that all wait for each other, the slow and obvious way."""
    reach = {n: set(wanted) for n, wanted in graph.items()}
    for _ in graph:
        for n in graph:
            reach[n] |= {far for near in reach[n] for far in reach[near]}
    return [{m for m in graph if m in reach[n] and n in reach[m]} for n in graph if n in reach[n]]
