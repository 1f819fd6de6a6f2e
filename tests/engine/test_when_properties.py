"""Random graphs with conditions, quorums and failures: every agent ends once, and all that ends is accounted for."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.spec import AgentGroup, AgentSpec, Requires
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentSkipped, RunFinished, RunStarted
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.errors import InternalError
from tests.engine.conftest import KeptEvents, RealClock, ScriptedAgents


@st.composite
def graphs(draw: st.DrawFn) -> tuple[AgentSpec, ...]:
    agents: list[AgentSpec] = []
    for number in range(draw(st.integers(1, 8))):
        names = [spec.name for spec in agents]
        others: st.SearchStrategy[list[str]] = st.lists(
            st.sampled_from(names or ["none"]), unique=True, max_size=4
        )
        depends_on = tuple(draw(others)) if names else ()
        words: st.SearchStrategy[Requires] = st.sampled_from(["all", "any", "none"])
        requires = draw(st.one_of(words, st.integers(1, len(depends_on))) if depends_on else words)
        when = None
        has_condition = draw(st.booleans())
        if names and has_condition:
            other = draw(st.sampled_from(names))
            when = draw(
                st.sampled_from(
                    [
                        f"${{{other}.n}} > 1",
                        f"${{{other}.n}} == '1'",
                        f"has(${{{other}.q}})",
                        f"${{{other}}}",
                        f"${{{other}.q}} == 1 || true",
                    ]
                )
            )
        agents.append(AgentSpec(f"a{number}", depends_on=depends_on, requires=requires, when=when))
    return tuple(agents)


@given(graphs(), st.lists(st.integers(-1, 3), min_size=8, max_size=8), st.integers(1, 4))
def test_every_agent_ends_once_and_the_status_says_how(
    agents: tuple[AgentSpec, ...], numbers: list[int], at_once: int
) -> None:
    async def answers(turn: AgentTurn) -> str:
        number = numbers[int(turn.agent.name[1:])]
        for _ in range(number):
            await asyncio.sleep(0)
        if number < 0:
            raise InternalError("it broke")
        return json.dumps({"n": number})

    sink, called = KeptEvents(), ScriptedAgents({spec.name: answers for spec in agents})
    plan = make_plan(AgentGroup("g", agents))

    async def run() -> None:
        async with asyncio.timeout(10):
            await execute(plan, RunStart("r", "Go"), called, sink, clock=RealClock(), max_concurrent=at_once)

    asyncio.run(run())

    ended = [e for e in sink.events if isinstance(e, AgentFinished | AgentFailed | AgentSkipped)]
    assert sorted(e.agent for e in ended) == sorted(spec.name for spec in agents)
    assert isinstance(sink.events[0], RunStarted)
    (end,) = sink.of(RunFinished)
    assert isinstance(end, RunFinished)
    bad = [
        e
        for e in ended
        if isinstance(e, AgentFailed) or (isinstance(e, AgentSkipped) and e.reason == "dependency")
    ]
    good = [e for e in ended if isinstance(e, AgentFinished)]
    assert end.status == ("completed" if not bad else "completed_with_errors" if good else "failed")
    assert called.most_under_way <= at_once
    for event in ended:
        if isinstance(event, AgentSkipped) and event.reason == "condition":
            assert {e.agent for e in bad}.isdisjoint(event.because)
