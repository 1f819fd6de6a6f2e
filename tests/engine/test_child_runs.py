"""Agents that run within an agent: the same execution, with paths, in the same slots, with the answers that there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.kinds import added
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.spec import AgentGroup, AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import (
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    AgentStarted,
    RunFinished,
    RunStarted,
    RunStopped,
)
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ReplyUnreadable
from llm_orc.runs.state import RunState
from tests.agents.extra_kinds import ROUNDS, RoundsWork
from tests.engine.conftest import KeptEvents, RealClock, ScriptedAgents

BODY = AgentGroup("body", (AgentSpec("writer"), AgentSpec("judge", depends_on=("writer",))))


@pytest.fixture(autouse=True)
def kind() -> Iterator[None]:
    with added(ROUNDS):
        yield


def around(body: AgentGroup = BODY, rounds: int = 1, *, at_once: bool = False, name: str = "panel") -> AgentSpec:
    return AgentSpec(name, RoundsWork(body, rounds, at_once))


async def run(
    *agents: AgentSpec,
    models: ScriptedAgents | None = None,
    max_concurrent: int = 10,
    done: dict[str, AgentOutput] | None = None,
    timeout_s: float | None = None,
) -> tuple[KeptEvents, ScriptedAgents]:
    sink, models = KeptEvents(), models or ScriptedAgents()
    await execute(
        make_plan(Ensemble("outer", agents)),
        RunStart("run-1", "the task", done=done or {}),
        AgentCaller(models, rehearsal=False),
        sink,
        clock=RealClock(),
        max_concurrent=max_concurrent,
        timeout_s=timeout_s,
    )
    return sink, models


def finished(sink: KeptEvents) -> dict[str, str]:
    return {e.agent: e.output.text for e in sink.events if isinstance(e, AgentFinished)}


async def test_agents_within_an_agent_have_its_path_before_their_names() -> None:
    sink, models = await run(around(), AgentSpec("chair", depends_on=("panel",)))

    assert [(type(e).__name__, e.agent) for e in sink.events if isinstance(e, AgentStarted | AgentFinished)] == [
        ("AgentStarted", "panel"),
        ("AgentStarted", "panel/writer"),
        ("AgentFinished", "panel/writer"),
        ("AgentStarted", "panel/judge"),
        ("AgentFinished", "panel/judge"),
        ("AgentFinished", "panel"),
        ("AgentStarted", "chair"),
        ("AgentFinished", "chair"),
    ]
    assert len(sink.of(RunStarted)) == len(sink.of(RunFinished)) == 1
    assert finished(sink)["panel"] == "answer of judge"
    assert "answer of judge" in models.prompts["chair"]
    assert models.prompts["writer"] == "the task"


async def test_rounds_are_told_apart_by_their_numbers() -> None:
    sink, _ = await run(around(rounds=2))

    assert finished(sink)["panel"] == "answer of judge / answer of judge"
    assert {"panel[0]/writer", "panel[0]/judge", "panel[1]/writer", "panel[1]/judge"} <= finished(sink).keys()


async def test_what_runs_within_an_agent_may_have_agents_within_it() -> None:
    inner = around(AgentGroup("inner", (AgentSpec("leaf"),)), name="inner")

    sink, _ = await run(around(AgentGroup("middle", (inner,)), name="outer"))

    assert set(finished(sink)) == {"outer", "outer/inner", "outer/inner/leaf"}


@pytest.mark.parametrize("max_concurrent", [1, 2, 3])
@pytest.mark.parametrize("at_once", [False, True])
async def test_slots_belong_to_those_that_work(max_concurrent: int, *, at_once: bool) -> None:
    """With one slot, agents around others would wait for them, and they for the slot."""
    inner = around(AgentGroup("inner", (AgentSpec("a"), AgentSpec("b"))), 2, at_once=at_once, name="inner")
    many = [
        around(AgentGroup("middle", (inner, AgentSpec("c"))), 2, at_once=at_once, name=f"p{n}") for n in (1, 2)
    ]

    async with asyncio.timeout(20):
        sink, models = await run(*many, AgentSpec("d"), max_concurrent=max_concurrent)

    last = sink.events[-1]
    assert isinstance(last, RunFinished)
    assert last.status == "completed"
    assert models.most_under_way == max_concurrent


async def test_a_failure_within_an_agent_is_told_to_it_and_to_nobody_else() -> None:
    async def fails(turn: AgentTurn) -> str:
        raise ReplyUnreadable("no text")

    sink, _ = await run(around(), AgentSpec("other"), models=ScriptedAgents({"writer": fails}))

    [failed] = sink.of(AgentFailed)
    [skipped] = sink.of(AgentSkipped)
    assert isinstance(failed, AgentFailed)
    assert isinstance(skipped, AgentSkipped)
    assert (failed.agent, skipped.agent, skipped.because) == ("panel/writer", "panel/judge", ("panel/writer",))
    assert finished(sink)["panel"] == "nothing"
    assert finished(sink)["other"] == "answer of other"


async def test_answers_that_there_are_within_an_agent_are_not_asked_for_again() -> None:
    done = {"panel/writer": AgentOutput("kept", ()), "nobody/writer": AgentOutput("of another", ())}

    sink, models = await run(around(), done=done)

    assert models.called == ["judge"]
    assert "kept" in models.prompts["judge"]
    [started] = sink.of(RunStarted)
    assert isinstance(started, RunStarted)
    assert started.resumed == ("panel/writer",)


async def test_a_time_limit_of_the_agent_ends_what_runs_within_it_and_gives_its_slots_back() -> None:
    async def waits(_turn: AgentTurn) -> str:
        await asyncio.Event().wait()
        return "never"

    slow = AgentSpec(
        "panel", RoundsWork(AgentGroup("body", (AgentSpec("endless"),)), 3, at_once=True), timeout_s=0.05
    )
    others = [AgentSpec(f"o{n}", depends_on=("panel",), requires="none") for n in range(4)]
    both = asyncio.Barrier(2)

    async def meets(_turn: AgentTurn) -> str:
        """Two at a time: with fewer slots than before nobody comes, with more there are three."""
        await both.wait()
        return "met"

    models = ScriptedAgents({"endless": waits, **dict.fromkeys((spec.name for spec in others), meets)})

    async with asyncio.timeout(20):
        sink, _ = await run(slow, *others, models=models, max_concurrent=2)

    [failed] = sink.of(AgentFailed)
    assert isinstance(failed, AgentFailed)
    assert (failed.agent, failed.error.code) == ("panel", "agent_timed_out")
    assert {f"o{n}" for n in range(4)} == set(finished(sink))
    assert models.most_under_way == 2


async def test_a_time_limit_stands_still_while_an_agent_within_waits_for_a_plan_or_a_person() -> None:
    async def waits(turn: AgentTurn) -> str:
        async with turn.idle():
            await asyncio.sleep(0.3)
        return "at last"

    async def is_slow(_turn: AgentTurn) -> str:
        await asyncio.sleep(5)
        return "never"

    panel = AgentSpec("panel", RoundsWork(AgentGroup("body", (AgentSpec("waiting"),)), 1), timeout_s=0.1)
    late = AgentSpec(
        "late", RoundsWork(AgentGroup("body", (AgentSpec("waiting"), AgentSpec("slow"))), 1), timeout_s=0.1
    )
    models = ScriptedAgents({"waiting": waits, "slow": is_slow})

    sink, _ = await run(panel, late, models=models)

    assert "panel" in finished(sink)
    assert [event.agent for event in sink.of(AgentFailed)] == ["late"]  # type: ignore[union-attr]


async def test_a_run_that_is_stopped_ends_what_runs_within_its_agents() -> None:
    async def waits(_turn: AgentTurn) -> str:
        await asyncio.Event().wait()
        return "never"

    models = ScriptedAgents({"writer": waits})

    sink, _ = await run(around(), models=models, timeout_s=0.05)

    assert models.under_way == 0
    assert len(sink.of(RunStopped)) == 1


async def test_the_state_of_a_run_has_them_and_a_resumed_one_forgets_those_without_an_answer() -> None:
    async def fails(turn: AgentTurn) -> str:
        raise ReplyUnreadable("no text")

    sink, _ = await run(
        around(), AgentSpec("chair", depends_on=("panel",)), models=ScriptedAgents({"judge": fails})
    )
    state = RunState()
    for event in sink.events:
        state.apply(event)

    result = state.result()
    assert [(a.name, a.status) for a in result.agents] == [
        ("panel", "completed"),
        ("panel/writer", "completed"),
        ("panel/judge", "failed"),
        ("chair", "completed"),
    ]
    assert (result.answered_by, result.answer) == ("chair", "answer of chair")
    assert result.total.calls == 2  # the writer's and the chair's: the panel itself has made none
    state.apply(RunStarted(9.0, "run-1", "outer", ("panel", "chair"), "the task", resumed=("panel/writer",)))
    assert list(state.agents) == ["panel", "chair", "panel/writer"]
    assert list(state.outputs) == ["panel/writer"]


async def test_agents_of_a_graph_that_was_stopped_start_no_more_while_its_others_still_end() -> None:
    is_ending, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_turn: AgentTurn) -> str:
        try:
            await asyncio.Event().wait()
            return "never"
        finally:
            is_ending.set()
            await goes_on.wait()

    async def other(_turn: AgentTurn) -> str:
        await is_ending.wait()
        return "other"

    async def after(_turn: AgentTurn) -> str:
        goes_on.set()
        return "after"

    panel = AgentSpec(
        "panel", RoundsWork(AgentGroup("body", (AgentSpec("slow"), AgentSpec("next"))), 1), timeout_s=0.05
    )
    models = ScriptedAgents({"slow": slow, "other": other, "after": after})

    async with asyncio.timeout(20):
        sink, _ = await run(
            panel,
            AgentSpec("other"),
            AgentSpec("after", depends_on=("other",)),
            models=models,
            max_concurrent=2,
        )

    assert models.called == ["other", "slow", "after"]
    assert [e.agent for e in sink.of(AgentFinished) if isinstance(e, AgentFinished)] == ["other", "after"]
    [finished] = sink.of(RunFinished)
    assert isinstance(finished, RunFinished)
    assert finished.status == "completed_with_errors"
