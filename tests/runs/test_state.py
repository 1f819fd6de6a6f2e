"""Folding events: the state at each moment, and the result at the end."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.path import AgentPath
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    AgentStarted,
    ErrorInfo,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    RunFinished,
    RunStarted,
    RunStopped,
)
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.state import RunState
from llm_orc.runs.wire import decode_event, encode_event
from tests.engine.conftest import ScriptedAgents
from tests.engine.test_execute import fails, run
from tests.engine.test_plan import acyclic_ensembles
from tests.runs.conftest import ACCESS, events_of_a_run, output

BUSY = ErrorInfo("provider_overloaded", "busy", exit_code=5)
START = RunStarted(1.0, "run-1", "panel", ("a", "b"), "the task")


def state_after(*events: object) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)  # type: ignore[arg-type]
    return state


def test_a_completed_run_has_every_answer_and_exit_code_0() -> None:
    result = state_after(*events_of_a_run("run-1", "a", "b")).result()

    assert result.status == "completed"
    assert result.exit_code == 0
    assert result["a"].response == "answer of a"
    assert result.total.calls == 2
    assert result.by_billing == {"local": result.total}
    with pytest.raises(KeyError):
        result["nobody"]


def test_a_retry_voids_the_text_streamed_so_far() -> None:
    state = state_after(
        START,
        AgentStarted(1.0, AgentPath("a"), "model"),
        ModelChosen(1.0, AgentPath("a"), "m", ACCESS),
        AgentDelta(AgentPath("a"), "half an ans"),
        ModelRetrying(2.0, AgentPath("a"), 2, 0.5, BUSY),
        AgentDelta(AgentPath("a"), "whole"),
    )

    assert state.agents["a"].streamed == ["whole"]
    assert state.agents["a"].attempts == 2


def test_a_switch_tells_what_was_left_and_why() -> None:
    state = state_after(
        START,
        AgentStarted(1.0, AgentPath("a"), "model"),
        ModelChosen(1.0, AgentPath("a"), "big", ACCESS),
        AgentDelta(AgentPath("a"), "half"),
        ModelSwitched(2.0, AgentPath("a"), "small", ACCESS, BUSY),
        AgentFinished(3.0, AgentPath("a"), 2.0, output("done")),
    )

    result = state.result()["a"]
    assert (result.status, result.switched_from, result.attempts) == ("completed", (BUSY,), 2)


@pytest.mark.parametrize(
    ("errors", "code"),
    [(["rate"], 5), (["rate", "auth"], 1), (["auth", "auth"], 4)],
)
def test_a_failed_run_has_the_exit_code_of_its_causes_where_they_are_of_one_family(
    errors: list[str], code: int
) -> None:
    infos = {"rate": ErrorInfo("rate_limited", "m", exit_code=5), "auth": ErrorInfo("auth", "m", exit_code=4)}
    names = ("a", "b")[: len(errors)]
    start = RunStarted(1.0, "run-1", "panel", names, "the task")

    failures = [AgentFailed(2.0, AgentPath(n), 1.0, infos[e]) for n, e in zip(names, errors, strict=True)]
    result = state_after(start, *failures, RunFinished(3.0, "failed", 2.0)).result()

    assert (result.status, result.exit_code) == ("failed", code)


def test_some_answers_are_completed_with_errors_and_never_exit_code_0() -> None:
    state = state_after(
        START,
        AgentFinished(2.0, AgentPath("a"), 1.0, output("x")),
        AgentSkipped(2.0, AgentPath("b"), ("c",)),
        RunFinished(3.0, "completed_with_errors", 2.0),
    )

    result = state.result()
    assert (result.status, result.exit_code) == ("completed_with_errors", 1)
    assert (result["b"].status, result["b"].because) == ("skipped", ("c",))


def test_an_interrupted_run_keeps_what_is_finished_and_says_why_the_rest_is_missing() -> None:
    interrupted = ErrorInfo("interrupted", "the run was interrupted", exit_code=130)
    state = state_after(START, AgentFinished(2.0, AgentPath("a"), 1.0, output("x")), RunStopped(3.0, interrupted))

    result = state.result()
    assert (result.status, result.exit_code, result.error) == ("completed_with_errors", 130, interrupted)
    assert (result["a"].response, result["b"].status, result["b"].error) == ("x", "skipped", interrupted)


def test_a_resumed_run_keeps_its_start_and_its_answers_and_forgets_its_failures() -> None:
    state = state_after(
        START,
        AgentFinished(2.0, AgentPath("a"), 1.0, output("x")),
        AgentFailed(2.0, AgentPath("b"), 1.0, BUSY),
        RunFinished(3.0, "completed_with_errors", 2.0),
        RunStarted(9.0, "run-1", "panel", ("a", "b"), "the task", resumed=("a",)),
    )

    assert state.outputs.keys() == {"a"}
    assert (state.agents["b"].phase, state.agents["b"].error) == ("waiting", None)
    assert state.started == START
    assert state.finished is None


def test_a_cost_that_is_not_known_makes_the_sum_unknown() -> None:
    state = state_after(
        START,
        AgentFinished(2.0, AgentPath("a"), 1.0, output("x", cost_usd=0.25)),
        AgentFinished(2.0, AgentPath("b"), 1.0, output("y", cost_usd=None)),
        RunFinished(3.0, "completed", 2.0),
    )

    assert state.result().total.cost_usd is None
    assert state.result()["a"].cost_usd == 0.25


@given(ensemble=acyclic_ensembles(), data=st.data())
@settings(deadline=None)
def test_a_stored_run_reads_back_as_the_run_that_was_seen(ensemble: Ensemble, data: st.DataObject) -> None:
    failing = data.draw(st.sets(st.sampled_from([a.name for a in ensemble.agents])))
    sink, _ = asyncio.run(run(*ensemble.agents, calls=ScriptedAgents(dict.fromkeys(failing, fails))))
    recorded = [e for e in sink.events if not isinstance(e, AgentDelta)]

    read_back = [event for e in recorded for event in decode_event(*encode_event(e))]

    assert read_back == recorded
    assert state_after(*read_back).result() == state_after(*sink.events).result()
