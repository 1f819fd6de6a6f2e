"""Conditions in a run: who is left out by one is no failure, and neither are those that wait only for them."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.spec import AgentGroup, AgentSpec, Requires
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentSkipped, AgentStarted, RunFinished
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.errors import InternalError
from tests.engine.conftest import KeptEvents, RealClock, ScriptedAgents


async def says(turn: AgentTurn) -> str:
    """`judge` answers with JSON, `broken` fails, all others say their name."""
    if turn.agent.name == "broken":
        raise InternalError("it broke")
    return json.dumps({"score": 7, "verdict": "yes"}) if turn.agent.name == "judge" else turn.agent.name


async def run(*agents: AgentSpec, done: dict[str, AgentOutput] | None = None) -> tuple[KeptEvents, ScriptedAgents]:
    sink, called = KeptEvents(), ScriptedAgents({spec.name: says for spec in agents})
    start = RunStart("run-1", "Go", done=done or {})
    await execute(make_plan(AgentGroup("g", agents)), start, called, sink, clock=RealClock(), max_concurrent=4)
    return sink, called


def skipped(sink: KeptEvents) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {e.agent: (e.reason, e.because) for e in sink.of(AgentSkipped) if isinstance(e, AgentSkipped)}


def status(sink: KeptEvents) -> str:
    (end,) = sink.of(RunFinished)
    assert isinstance(end, RunFinished)
    return end.status


async def test_a_false_condition_leaves_an_agent_out_and_the_run_completes() -> None:
    sink, called = await run(
        AgentSpec("judge"),
        AgentSpec("good", when="${judge.score} >= 7"),
        AgentSpec("bad", when="${judge.score} < 7"),
    )

    assert called.called == ["judge", "good"]
    assert skipped(sink) == {"bad": ("condition", ())}
    assert status(sink) == "completed"


async def test_who_waits_only_for_agents_left_out_is_left_out_down_the_chain() -> None:
    sink, called = await run(
        AgentSpec("judge"),
        AgentSpec("never", when="${judge.verdict} == no"),
        AgentSpec("after", depends_on=("never",)),
        AgentSpec("last", ModelWork(prompt="${after}")),
        AgentSpec("both", depends_on=("never", "judge")),
        AgentSpec("anyway", depends_on=("never",), requires="none"),
    )

    assert sorted(called.called) == ["anyway", "both", "judge"]
    assert skipped(sink) == {
        "never": ("condition", ()),
        "after": ("condition", ("never",)),
        "last": ("condition", ("after",)),
    }
    assert "of='missing' agent='never'>This agent was skipped by its condition.<" in called.prompts["both"]
    assert status(sink) == "completed"


@pytest.mark.parametrize(
    ("requires", "runs"),
    [("all", False), ("any", True), ("none", True)],
)
async def test_a_failure_beside_one_that_is_left_out_is_still_a_failure(requires: Requires, runs: bool) -> None:
    sink, called = await run(
        AgentSpec("broken"),
        AgentSpec("judge"),
        AgentSpec("never", when="!has(${judge.score})"),
        AgentSpec("chair", depends_on=("broken", "never", "judge"), requires=requires),
        AgentSpec("only", depends_on=("broken", "never"), requires="any"),
    )

    assert ("chair" in called.called) is runs
    assert ("chair" in skipped(sink)) is not runs
    assert skipped(sink)["only"] == ("dependency", ("broken",))
    if not runs:
        assert skipped(sink)["chair"] == ("dependency", ("broken",))
    assert status(sink) == "completed_with_errors"


async def test_a_condition_that_can_t_be_decided_fails_the_agent_before_it_starts() -> None:
    sink, called = await run(
        AgentSpec("judge"), AgentSpec("x", when="${judge.scroe} > 1"), AgentSpec("y", depends_on=("x",))
    )

    (failed,) = sink.of(AgentFailed)
    assert isinstance(failed, AgentFailed)
    assert (failed.agent, failed.error.code) == ("x", "condition_undecided")
    assert "there is no `scroe`; the fields are `score`, `verdict`" in failed.error.message
    assert called.called == ["judge"]
    assert skipped(sink) == {"y": ("dependency", ("x",))}
    assert [e.agent for e in sink.of(AgentStarted) if isinstance(e, AgentStarted)] == ["judge"]


async def test_a_condition_on_an_agent_without_an_answer_follows_its_fate() -> None:
    sink, _ = await run(
        AgentSpec("broken"),
        AgentSpec("judge"),
        AgentSpec("never", when="${judge.score} > 9"),
        AgentSpec("a", depends_on=("judge",), when="${never.x} == 1"),
        AgentSpec("b", depends_on=("judge",), when="${broken.x} == 1", requires="any"),
        AgentSpec("c", depends_on=("judge",), when="has(${broken}) || true", requires="any"),
    )

    assert skipped(sink) == {
        "never": ("condition", ()),
        "a": ("condition", ("never",)),
        "b": ("dependency", ("broken",)),
    }


async def test_a_wrong_condition_is_told_although_an_answer_is_lacking_too() -> None:
    sink, _ = await run(
        AgentSpec("judge"),
        AgentSpec("never", when="${judge.score} > 9"),
        AgentSpec("left", when="${never.x} == 1 && ${judge.scroe} == 1", requires="any"),
        AgentSpec("right", when="${judge.scroe} == 1 || ${never.x} == 1", requires="any"),
        AgentSpec("both", when="${never.x} == ${judge.scroe}", requires="any"),
        AgentSpec("listed", when="${judge.score} in [${never.x}, ${judge.scroe}]", requires="any"),
        AgentSpec("types", when="${never.x} == 1 || ${judge.score} == 'x'", requires="any"),
        AgentSpec("decided", when="${never.x} == 1 || ${judge.score} == 7", requires="any"),
        AgentSpec("lacking", when="${never.x} == 1 || ${judge.score} == 8", requires="any"),
    )

    failed = {str(e.agent): e.error.message for e in sink.of(AgentFailed) if isinstance(e, AgentFailed)}
    assert sorted(failed) == ["both", "left", "listed", "right", "types"]
    assert "compares a number with text" in failed.pop("types")
    assert all("there is no `scroe`" in message for message in failed.values())
    assert skipped(sink) == {"never": ("condition", ()), "lacking": ("condition", ("never",))}


async def test_a_run_that_goes_on_decides_as_before() -> None:
    answer = AgentOutput('{"score": 3}', ())

    sink, called = await run(
        AgentSpec("judge"), AgentSpec("good", when="${judge.score} >= 7"), done={"judge": answer}
    )

    assert called.called == []
    assert skipped(sink) == {"good": ("condition", ())}
    assert status(sink) == "completed"


async def test_an_agent_without_dependencies_may_have_a_condition() -> None:
    sink, called = await run(AgentSpec("a", when="${task} == 'Go'"), AgentSpec("b", when="${task} != 'Go'"))

    assert called.called == ["a"]
    assert skipped(sink) == {"b": ("condition", ())}


@pytest.mark.parametrize(
    ("condition", "because"),
    [
        (None, ""),
        ("${judge.score} > 9", ""),
        ("${judge.score} >= 7", "`${judge.score} >= 7`"),
        (
            "${judge.scroe} >= 7",
            (
                "the condition `${judge.scroe} >= 7` can't be decided: `${judge.scroe}` has no value: there is no"
                " `scroe`; the fields are `score`, `verdict`"
            ),
        ),
        ("${judge.score} >=", "the condition `${judge.score} >=` can't be read: the condition ends too early"),
    ],
)
async def test_a_run_that_completes_may_fail_by_what_it_found(condition: str | None, because: str) -> None:
    sink = KeptEvents()
    plan = make_plan(AgentGroup("g", (AgentSpec("judge"),)))

    await execute(
        plan,
        RunStart("run-1", "Go", fails_when=condition),
        ScriptedAgents({"judge": says}),
        sink,
        clock=RealClock(),
        max_concurrent=1,
    )

    (end,) = sink.of(RunFinished)
    assert isinstance(end, RunFinished)
    assert (end.status, end.fails_because) == ("completed", because)


async def test_a_rehearsal_runs_what_it_can_t_decide_on_canned_answers() -> None:
    sink, called = KeptEvents(), ScriptedAgents({})
    agents = (
        AgentSpec("judge"),
        AgentSpec("good", ModelWork(prompt="Why ${judge.reason}?"), when="${judge.score} >= 7"),
        AgentSpec("never", when="${task} == 'Stop'"),
    )
    start = RunStart("run-1", "Go", sandbox=True, fails_when="${judge.blocking}  == true")

    await execute(make_plan(AgentGroup("g", agents)), start, called, sink, clock=RealClock(), max_concurrent=4)

    assert called.called == ["judge", "good"]
    assert "[canned value of judge.reason]" in called.prompts["good"]
    (end,) = sink.of(RunFinished)
    assert isinstance(end, RunFinished)
    assert (end.status, end.fails_because) == ("completed", "")


async def test_a_quorum_starts_with_the_answers_that_are_there() -> None:
    is_over = asyncio.Event()

    async def waits(turn: AgentTurn) -> str:
        await is_over.wait()
        return "late"

    async def ends(turn: AgentTurn) -> str:
        is_over.set()
        return "done"

    sink, called = KeptEvents(), ScriptedAgents({"slow": waits, "chair": ends})
    agents = (
        AgentSpec("a"),
        AgentSpec("slow"),
        AgentSpec("b"),
        AgentSpec("chair", depends_on=("a", "slow", "b"), requires=2),
    )

    plan = make_plan(AgentGroup("g", agents))
    await execute(plan, RunStart("run-1", "Go"), called, sink, clock=RealClock(), max_concurrent=4)

    assert called.called == ["a", "slow", "b", "chair"]
    assert "of='missing' agent='slow'>This agent has not answered yet.<" in called.prompts["chair"]
    assert called.prompts["chair"].count("of='answer'") == 2
    assert [e.agent for e in sink.of(AgentFinished) if isinstance(e, AgentFinished)][-1] == "slow"
    assert status(sink) == "completed"


@pytest.mark.parametrize("score", [3, 9])
async def test_a_quorum_with_a_condition_starts_when_both_can_be_told(score: int) -> None:
    """The agent of the condition is the last that it waits for, not the slow one."""
    is_over = asyncio.Event()

    async def waits(turn: AgentTurn) -> str:
        await is_over.wait()
        return "late"

    async def judges(turn: AgentTurn) -> str:
        for _ in range(20):
            await asyncio.sleep(0)
        assert "chair" not in called.called
        is_over.set() if score < 5 else None
        return json.dumps({"score": score})

    async def ends(turn: AgentTurn) -> str:
        is_over.set()
        return "done"

    sink = KeptEvents()
    called = ScriptedAgents({"slow": waits, "judge": judges, "chair": ends})
    needed = ("a", "b", "slow")
    agents = (
        *(AgentSpec(name) for name in (*needed, "judge")),
        AgentSpec("chair", depends_on=needed, requires=2, when="${judge.score} > 5"),
    )

    plan = make_plan(AgentGroup("g", agents))
    await execute(plan, RunStart("run-1", "Go"), called, sink, clock=RealClock(), max_concurrent=4)

    assert ("chair" in called.called) is (score > 5)
    assert skipped(sink) == ({} if score > 5 else {"chair": ("condition", ())})
    assert status(sink) == "completed"


async def test_a_quorum_that_can_t_be_reached_is_skipped() -> None:
    sink, called = await run(
        AgentSpec("judge"),
        AgentSpec("broken"),
        AgentSpec("chair", depends_on=("judge", "broken"), requires=2),
        AgentSpec("one", depends_on=("judge", "broken"), requires=1),
    )

    assert "chair" not in called.called
    assert "one" in called.called
    assert skipped(sink) == {"chair": ("dependency", ("broken",))}


async def test_a_quorum_goes_on_with_the_answers_from_before() -> None:
    done = {"a": AgentOutput("A", ()), "b": AgentOutput("B", ())}

    _, called = await run(
        AgentSpec("a"),
        AgentSpec("b"),
        AgentSpec("c"),
        AgentSpec("x", depends_on=("a", "b", "c"), requires=2),
        done=done,
    )

    assert sorted(called.called) == ["c", "x"]


async def test_an_answer_that_only_stood_in_for_others_does_so_after_a_resume_too() -> None:
    agents = (
        AgentSpec("broken"),
        AgentSpec("fallback", depends_on=("broken",), requires="none", handles_failure=True),
        AgentSpec("slow"),
        AgentSpec("after", depends_on=("fallback", "slow"), requires=1),
        AgentSpec("only", depends_on=("fallback",)),
    )
    sink, _ = await run(*agents)
    (kept,) = (e.output for e in sink.events if isinstance(e, AgentFinished) and e.agent == "fallback")
    output = msgspec.json.decode(msgspec.json.encode(kept), type=AgentOutput)  # as it is recorded

    again, called = await run(*agents, done={"fallback": output})

    assert sorted(called.called) == ["after", "broken", "slow"]
    assert skipped(again) == skipped(sink) == {"only": ("dependency", ("fallback",))}
    assert "only stands in" in called.prompts["after"]
