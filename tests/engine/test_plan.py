"""Planning: order, stages and circles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.spec import AgentSpec
from llm_orc.engine.plan import make_plan, stages
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import EnsembleCycle, EnsembleInvalid


@st.composite
def acyclic_ensembles(draw: st.DrawFn) -> Ensemble:
    """Agents in any written order, each depending on some that are before it in a hidden order."""
    names = [f"a{i}" for i in range(draw(st.integers(1, 12)))]
    specs = []
    for i, name in enumerate(names):
        needed = draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []
        specs.append(AgentSpec(name, depends_on=tuple(needed)))
    return Ensemble("any", tuple(draw(st.permutations(specs))))


@given(acyclic_ensembles())
def test_everything_an_agent_needs_comes_before_it(ensemble: Ensemble) -> None:
    plan = make_plan(ensemble)

    position = {name: i for i, name in enumerate(plan.names)}
    assert sorted(plan.names) == sorted(a.name for a in ensemble.agents)
    for spec in ensemble.agents:
        assert all(position[needed] < position[spec.name] for needed in spec.depends_on)


@given(acyclic_ensembles())
def test_an_agents_stage_is_one_after_the_last_it_needs(ensemble: Ensemble) -> None:
    rows = stages(make_plan(ensemble))

    stage = {name: i for i, row in enumerate(rows) for name in row}
    for spec in ensemble.agents:
        assert stage[spec.name] == 1 + max((stage[needed] for needed in spec.depends_on), default=-1)


@given(acyclic_ensembles())
def test_the_same_ensemble_always_has_the_same_plan(ensemble: Ensemble) -> None:
    assert make_plan(ensemble) == make_plan(ensemble)


def test_free_agents_keep_the_order_of_the_yaml() -> None:
    ensemble = Ensemble("e", (AgentSpec("z"), AgentSpec("a"), AgentSpec("m", depends_on=("z",))))

    assert make_plan(ensemble).names == ("z", "a", "m")


def test_a_circle_is_an_error_that_names_those_in_it() -> None:
    ensemble = Ensemble(
        "e", (AgentSpec("a", depends_on=("b",)), AgentSpec("b", depends_on=("a",)), AgentSpec("c"))
    )

    with pytest.raises(EnsembleCycle, match="a, b"):
        make_plan(ensemble)


@pytest.mark.parametrize("name", ["a/b", "a[1]", "a]"])
def test_a_name_that_paths_are_made_with_is_refused(name: str) -> None:
    with pytest.raises(EnsembleInvalid, match="in its name"):
        make_plan(Ensemble("e", (AgentSpec(name),)))


def test_the_answer_is_that_of_the_agent_that_the_ensemble_names() -> None:
    agents = (AgentSpec("a"), AgentSpec("b", depends_on=("a",)))

    assert make_plan(Ensemble("e", agents, answer="a")).answer == "a"


@pytest.mark.parametrize(
    ("agents", "answer"),
    [
        ((AgentSpec("chair", depends_on=("a", "b")), AgentSpec("a"), AgentSpec("b")), "chair"),
        ((AgentSpec("a"), AgentSpec("b")), "b"),
        ((AgentSpec("a"), AgentSpec("b", depends_on=("a",)), AgentSpec("c", depends_on=("a",))), "c"),
    ],
)
def test_the_answer_is_that_of_the_only_last_agent_or_of_the_last_in_the_file(
    agents: tuple[AgentSpec, ...], answer: str
) -> None:
    assert make_plan(Ensemble("e", agents)).answer == answer
