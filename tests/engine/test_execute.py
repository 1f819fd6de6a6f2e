"""Execution: order, concurrency, failures, limits and cancellation, as the events tell it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import (
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    RunFinished,
    RunStarted,
    RunStopped,
)
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.engine.shared import Clock
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import RateLimited
from tests.engine.conftest import ACCESS, KeptEvents, RealClock, ScriptedAgents
from tests.engine.test_plan import acyclic_ensembles
from tests.fakes.clocks import SetClock


async def run(
    *agents: AgentSpec,
    calls: ScriptedAgents | None = None,
    max_concurrent: int = 100,
    timeout_s: float | None = None,
    done: dict[str, AgentOutput] | None = None,
    sink: KeptEvents | None = None,
    clock: Clock | None = None,
) -> tuple[KeptEvents, ScriptedAgents]:
    sink, calls = sink or KeptEvents(), calls or ScriptedAgents()
    await execute(
        make_plan(Ensemble("panel", agents)),
        RunStart("run-1", "the task", done=done or {}),
        calls,
        sink,
        clock=clock or RealClock(),
        max_concurrent=max_concurrent,
        timeout_s=timeout_s,
    )
    return sink, calls


async def fails(_turn: AgentTurn) -> str:
    raise RateLimited("too many requests", hint="wait")


async def never_ends(_turn: AgentTurn) -> str:
    await asyncio.Event().wait()
    return "unreachable"


def ends(sink: KeptEvents) -> dict[str, str]:
    kinds = {AgentFinished: "finished", AgentFailed: "failed", AgentSkipped: "skipped"}
    return {
        e.agent: kinds[type(e)] for e in sink.events if isinstance(e, AgentFinished | AgentFailed | AgentSkipped)
    }


async def test_a_run_begins_and_ends_with_its_own_events() -> None:
    sink, _ = await run(AgentSpec("a"))

    first, last = sink.events[0], sink.events[-1]
    assert isinstance(first, RunStarted)
    assert (first.run_id, first.ensemble, first.agents, first.task) == ("run-1", "panel", ("a",), "the task")
    assert isinstance(last, RunFinished)
    assert last.status == "completed"


async def test_an_agent_starts_when_its_own_inputs_are_there_and_waits_for_no_one_else() -> None:
    quick_chain_done = asyncio.Event()

    async def waits_for_the_chain(_turn: AgentTurn) -> str:
        await asyncio.wait_for(quick_chain_done.wait(), 5)
        return "slow"

    async def ends_the_chain(_turn: AgentTurn) -> str:
        quick_chain_done.set()
        return "quick"

    calls = ScriptedAgents({"slow": waits_for_the_chain, "second": ends_the_chain})

    sink, _ = await run(
        AgentSpec("slow"), AgentSpec("first"), AgentSpec("second", depends_on=("first",)), calls=calls
    )

    assert ends(sink) == {"first": "finished", "second": "finished", "slow": "finished"}


async def test_dependants_are_given_the_answers() -> None:
    _, calls = await run(AgentSpec("a"), AgentSpec("b", depends_on=("a",)))

    assert "answer of a" in calls.prompts["b"]
    assert calls.prompts["a"] == "the task"


async def test_a_failed_agent_takes_only_its_dependants_with_it() -> None:
    calls = ScriptedAgents({"bad": fails})

    sink, _ = await run(
        AgentSpec("bad"),
        AgentSpec("good"),
        AgentSpec("after-bad", depends_on=("bad", "good")),
        AgentSpec("after-that", depends_on=("after-bad",)),
        AgentSpec("after-good", depends_on=("good",)),
        calls=calls,
    )

    assert ends(sink) == {
        "bad": "failed",
        "good": "finished",
        "after-bad": "skipped",
        "after-that": "skipped",
        "after-good": "finished",
    }
    [skipped, _] = sink.of(AgentSkipped)
    assert isinstance(skipped, AgentSkipped)
    assert skipped.because == ("bad",)
    [failed] = sink.of(AgentFailed)
    assert isinstance(failed, AgentFailed)
    assert (failed.error.code, failed.error.hint, failed.error.exit_code) == ("rate_limited", "wait", 5)
    assert isinstance(sink.events[-1], RunFinished)
    assert sink.events[-1].status == "completed_with_errors"


@pytest.mark.parametrize(
    ("requires", "failing", "end"),
    [
        ("all", {"a"}, "skipped"),
        ("any", {"a"}, "finished"),
        ("any", {"a", "b"}, "skipped"),
        ("none", {"a", "b"}, "finished"),
    ],
)
async def test_an_agent_runs_with_what_there_is_where_the_yaml_says_so(
    requires: str, failing: set[str], end: str
) -> None:
    calls = ScriptedAgents(dict.fromkeys(failing, fails))
    chair = AgentSpec("chair", depends_on=("a", "b"), requires=requires)  # type: ignore[arg-type]

    sink, _ = await run(AgentSpec("a"), AgentSpec("b"), chair, calls=calls)

    assert ends(sink)["chair"] == end


async def test_no_answer_at_all_is_a_failed_run() -> None:
    sink, _ = await run(AgentSpec("a"), calls=ScriptedAgents({"a": fails}))

    assert isinstance(sink.events[-1], RunFinished)
    assert sink.events[-1].status == "failed"


async def test_at_most_the_given_number_of_agents_is_under_way() -> None:
    sink, calls = await run(*(AgentSpec(f"a{i}") for i in range(50)), max_concurrent=7)

    assert calls.most_under_way == 7
    assert len(sink.of(AgentFinished)) == 50


async def test_finished_agents_of_an_earlier_try_are_not_called_again() -> None:
    done = {"a": AgentOutput("kept answer", (ModelCall("model-1", ACCESS),))}

    sink, calls = await run(
        AgentSpec("a"), AgentSpec("b", depends_on=("a",)), AgentSpec("c", depends_on=("b",)), done=done
    )

    assert calls.called == ["b", "c"]
    assert "kept answer" in calls.prompts["b"]
    assert isinstance(sink.events[0], RunStarted)
    assert sink.events[0].resumed == ("a",)
    assert isinstance(sink.events[-1], RunFinished)
    assert sink.events[-1].status == "completed"


async def test_a_time_limit_ends_the_run_and_keeps_what_is_finished() -> None:
    calls = ScriptedAgents({"endless": never_ends})

    sink, _ = await run(AgentSpec("quick"), AgentSpec("endless"), calls=calls, timeout_s=0.05)

    assert ends(sink) == {"quick": "finished"}
    assert isinstance(sink.events[-1], RunStopped)
    assert sink.events[-1].error.code == "run_timed_out"
    assert calls.under_way == 0


async def test_cancellation_is_recorded_and_leaves_no_call_behind() -> None:
    sink, calls = KeptEvents(), ScriptedAgents({"endless": never_ends})
    running = asyncio.create_task(run(AgentSpec("quick"), AgentSpec("endless"), calls=calls, sink=sink))
    async with asyncio.timeout(30):
        while "quick" not in ends(sink):
            await asyncio.sleep(0)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert isinstance(sink.events[-1], RunStopped)
    assert sink.events[-1].error.code == "interrupted"
    assert calls.under_way == 0


@given(ensemble=acyclic_ensembles(), data=st.data())
@settings(deadline=None)
def test_every_agent_ends_exactly_once_whatever_fails(ensemble: Ensemble, data: st.DataObject) -> None:
    names = [a.name for a in ensemble.agents]
    failing = data.draw(st.sets(st.sampled_from(names)))
    done = data.draw(st.sets(st.sampled_from(names)))
    limit = data.draw(st.integers(1, 5))
    kept = {name: AgentOutput(f"kept {name}", (ModelCall("model-1", ACCESS),)) for name in done}

    sink, calls = asyncio.run(
        run(*ensemble.agents, calls=ScriptedAgents(dict.fromkeys(failing, fails)), max_concurrent=limit, done=kept)
    )

    ended = [e.agent for e in sink.events if isinstance(e, AgentFinished | AgentFailed | AgentSkipped)]
    assert sorted(ended) == sorted(set(names) - done)
    assert not set(calls.called) & done
    assert set(calls.called) == {n for n, end in ends(sink).items() if end != "skipped"}


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (AgentOutput("half", (ModelCall("m", ACCESS, stop_reason="max_tokens"),)), "its end is missing"),
        (
            AgentOutput("half", (ModelCall("m", ACCESS, stop_reason="other", stop_word="wibble"),)),
            "may be incomplete",
        ),
    ],
)
async def test_who_is_given_an_answer_is_told_that_it_is_cut_also_after_a_resume(
    kept: AgentOutput, said: str
) -> None:
    async def call(turn: AgentTurn) -> AgentOutput:
        prompts[turn.agent.name] = turn.prompt
        return kept

    prompts: dict[str, str] = {}
    plan = make_plan(Ensemble("panel", (AgentSpec("a"), AgentSpec("b", depends_on=("a",)))))
    for done in ({}, {"a": kept}):
        await execute(plan, RunStart("r", "t", done=done), call, KeptEvents(), clock=RealClock(), max_concurrent=9)
        assert said in prompts.pop("b")


async def test_durations_are_those_of_the_agent_and_of_the_run_however_they_end() -> None:
    clock = SetClock()

    async def takes_two(_turn: AgentTurn) -> str:
        clock.passed_s += 2
        return "yes"

    async def fails_after_three(_turn: AgentTurn) -> str:
        clock.passed_s += 3
        raise RateLimited("too many requests")

    calls = ScriptedAgents({"good": takes_two, "bad": fails_after_three})
    sink, _ = await run(AgentSpec("good"), AgentSpec("bad", depends_on=("good",)), calls=calls, clock=clock)

    [finished], [failed] = sink.of(AgentFinished), sink.of(AgentFailed)
    assert isinstance(finished, AgentFinished)
    assert isinstance(failed, AgentFailed)
    assert (finished.duration_s, failed.duration_s) == (2, 3)
    assert (finished.at, failed.at) == (1_800_000_002, 1_800_000_005)
    assert sink.events[0] == RunStarted(1_800_000_000, "run-1", "panel", ("good", "bad"), "the task", answer="bad")
    assert sink.events[-1] == RunFinished(1_800_000_005, "completed_with_errors", 5)
