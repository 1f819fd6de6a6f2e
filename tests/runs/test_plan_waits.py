"""What the record of a run says of a plan that is used up, whenever the process that wrote it was killed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import (
    AgentFailed,
    AgentFinished,
    AgentStarted,
    ErrorInfo,
    ModelChosen,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RecordedEvent,
    RunStarted,
    RunStopped,
)
from llm_orc.runs.journal import Entries
from llm_orc.runs.plan_waits import used_up_of
from llm_orc.runs.state import RunState
from llm_orc.runs.wire import decode_event, encode_event
from tests.runs.conftest import new_run

if TYPE_CHECKING:
    from llm_orc.runs.journal import Journal

PLAN = Access("plan", "oauth", Billing.SUBSCRIPTION, "a sign-in", "https://plan.test")
LOCAL = Access("local", "none", Billing.LOCAL, "no credential needed", "http://127.0.0.1:1")
LIMIT = ErrorInfo("plan_limit_reached", "used up", resets_at=9000.0)
A = AgentPath("a")
WAITS = PlanWaitStarted(3.0, A, PLAN, None, 9000.0, is_told=True, error=LIMIT)
STARTED = RunStarted(1.0, "r", "e", ("a", "b"), "t")
AGAIN = RunStarted(5.0, "r", "e", ("a", "b"), "t")
STOPPED = RunStopped(4.0, ErrorInfo("interrupted", "stopped"))
BEGAN = (STARTED, AgentStarted(2.0, A, "model"), ModelChosen(2.0, A, "m", PLAN))
ANSWER = AgentFinished(8.0, A, 1.0, AgentOutput("yes", (ModelCall("m", PLAN),)))


def state_after(*events: RecordedEvent) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


@pytest.mark.parametrize(
    "then",
    [
        (),
        (STOPPED,),
        (STOPPED, AGAIN),  # killed before the agent could wait again
        (STOPPED, AGAIN, AgentStarted(6.0, A, "model")),
        (AGAIN, AGAIN, AgentStarted(6.0, A, "model"), WAITS),
        (ModelSwitched(6.0, A, "l", LOCAL, LIMIT),),  # a fallback that costs nothing is being asked
    ],
)
def test_the_reset_is_known_until_the_plan_is_called_again(then: tuple[RecordedEvent, ...]) -> None:
    assert [wait.until for wait in state_after(*BEGAN, WAITS, *then).plan_waits] == [9000.0]


@pytest.mark.parametrize(
    "then",
    [
        (PlanWaitEnded(9001.0, A),),
        (AGAIN, AgentStarted(6.0, A, "model"), ModelChosen(6.0, A, "m", PLAN)),  # forced, with `--now`
        (ANSWER,),
    ],
)
def test_it_is_forgotten_once_the_plan_is_called(then: tuple[RecordedEvent, ...]) -> None:
    assert state_after(*BEGAN, WAITS, *then).plan_waits == []


def test_an_agent_that_failed_at_the_limit_leaves_its_reset_to_the_next_attempt() -> None:
    failed = AgentFailed(3.0, A, 1.0, LIMIT)

    assert state_after(*BEGAN, failed).plan_waits == []
    (wait,) = state_after(*BEGAN, failed, AGAIN).plan_waits
    assert (wait.access, wait.model, wait.until, wait.is_told) == (PLAN, "m", 9000.0, True)


def test_a_stopped_result_says_until_when_its_agents_wait() -> None:
    result = state_after(*BEGAN, WAITS, STOPPED).result()

    assert (result.waits_until, result["a"].waits_until, result["b"].waits_until) == (9000.0, 9000.0, None)
    assert result["a"].status == "skipped"


def test_the_wait_is_stored_and_read_back_as_it_was() -> None:
    assert decode_event(*encode_event(WAITS)) == (WAITS,)
    used_up = used_up_of(WAITS)
    assert (used_up.access, used_up.model, used_up.until, used_up.is_told) == (PLAN, None, 9000.0, True)
    assert used_up.refusal().resets_at == 9000.0


@pytest.mark.parametrize(
    ("events", "until"),
    [
        ((*BEGAN, WAITS), 9000.0),
        ((*BEGAN, WAITS, STOPPED, AGAIN), 9000.0),
        ((*BEGAN, WAITS, PlanWaitEnded(9001.0, A)), None),
        ((*BEGAN, WAITS, ANSWER), None),
        (BEGAN, None),
    ],
)
def test_a_list_of_runs_needs_no_events_for_it(
    journal: Journal, events: tuple[RecordedEvent, ...], until: float | None
) -> None:
    journal.begin(new_run("r", "a", "b"))
    written = threading.Event()
    stored = [encode_event(event) for event in events]
    journal.append(Entries("r", stored, None, lambda _failure: written.set()))
    assert written.wait(30)

    assert journal.waits_until("r") == until
