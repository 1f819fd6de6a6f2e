"""Random ensembles of all kinds with limits everywhere, faults, kills and resumes: no limit is ever exceeded."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llm_orc.agents.budgets.ceilings import NO_CEILINGS, Ceilings
from llm_orc.agents.dispatch.work import DispatchWork
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.loop.work import LoopWork
from llm_orc.agents.samples.spec import Judge, Samples
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.ensembles.ensemble import Ensemble
from tests.app.runs.test_ceiling_properties import Day, Process, Story, tell
from tests.examples import many
from tests.fakes.paid_server import PROVIDERS, Fault

FAILING: tuple[Fault, ...] = ("none", "no usage", "bad usage", "cut", "drop", "garbage", "400", "503")
# Chosen so that most runs spend something, and most limits are reached only by a later process.
USD, CALLS, TOKENS = (0.004, 0.05, 0.2), (1, 2, 3, 5), (3_000, 7_000, 20_000)
ceilings = st.sampled_from(
    [
        *[NO_CEILINGS] * 5,
        *(Ceilings(max_cost_usd=most) for most in USD),
        *(Ceilings(max_calls=most) for most in CALLS),
        *(Ceilings(max_total_tokens=most) for most in TOKENS),
        Ceilings(0.05, 3, 7_000),
    ]
)
lists = st.sampled_from([None, None, FanOut(("one",)), FanOut(("one", "two", "three"))])
processes = st.builds(
    Process,
    kill_at=st.sampled_from([None, None, 1, 2, 3]),
    limit_usd=st.sampled_from([None, 0.1, 0.5, 2.0]),
    max_calls=st.sampled_from([None, None, 3, 12]),
    max_total_tokens=st.sampled_from([None, 20_000, 60_000]),
)
models = st.builds(
    AgentSpec,
    name=st.just("m"),
    work=st.sampled_from([ModelWork(), ModelWork(schema={"type": "object"}, repairs=2)]),
    ceilings=ceilings,
    fan_out=lists,
) | st.builds(
    AgentSpec,
    name=st.just("s"),
    samples=st.sampled_from([Samples(2), Samples(3, ahead=1), Samples(3, judge=Judge())]),
    ceilings=ceilings,
    fan_out=lists,
)


def beside(agents: list[AgentSpec]) -> tuple[AgentSpec, ...]:
    """Agents beside each other; every second one depends on the one before."""
    names = [f"a{n}" for n in range(len(agents))]
    return tuple(
        AgentSpec(
            name=names[n],
            work=agent.work,
            depends_on=(names[n - 1],) if n % 2 else (),
            samples=agent.samples,
            fan_out=agent.fan_out,
            ceilings=agent.ceilings,
        )
        for n, agent in enumerate(agents)
    )


def nested(children: st.SearchStrategy[AgentSpec]) -> st.SearchStrategy[AgentSpec]:
    inner = st.builds(
        lambda agents, most: Ensemble(
            "inner",
            beside(agents),
            max_cost_usd=most.max_cost_usd,
            max_calls=most.max_calls,
            max_total_tokens=most.max_total_tokens,
        ),
        st.lists(children, min_size=1, max_size=2),
        ceilings,
    )
    works = (
        st.builds(lambda one, most: LoopWork(one.body(), max_rounds=most), inner, st.integers(1, 3))
        | inner.map(lambda one: EnsembleWork(one.nested()))
        | inner.map(lambda one: DispatchWork("one", {"one": one.nested()}))
    )
    return st.builds(AgentSpec, name=st.just("n"), work=works, ceilings=ceilings, fan_out=lists)


ensembles = st.lists(st.recursive(models, nested, max_leaves=4), min_size=1, max_size=2).map(
    lambda agents: Ensemble("e", beside(agents))
)


async def exceeds_nothing(
    ensemble: Ensemble, dialect: str, faults: list[Fault], run: list[Process], day_usd: float | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        day = None if day_usd is None else Day(Path(folder) / "spending.sqlite", day_usd)
        await tell(Story(dialect, 0, stream=False, ensemble=ensemble, day=day), faults, run)


any_story = given(
    ensemble=ensembles,
    dialect=st.sampled_from(sorted(PROVIDERS)),
    faults=st.lists(st.sampled_from(FAILING), min_size=2, max_size=8),
    run=st.lists(processes, min_size=2, max_size=3),
    day_usd=st.sampled_from([None, None, 0.1, 0.5]),
)


@settings(max_examples=many(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@any_story
async def test_no_limit_is_exceeded_of_a_run_an_agent_or_a_day(
    ensemble: Ensemble, dialect: str, faults: list[Fault], run: list[Process], day_usd: float | None
) -> None:
    await exceeds_nothing(ensemble, dialect, faults, run, day_usd)


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@any_story
async def test_nor_in_many_more_stories(
    ensemble: Ensemble, dialect: str, faults: list[Fault], run: list[Process], day_usd: float | None
) -> None:
    await exceeds_nothing(ensemble, dialect, faults, run, day_usd)
