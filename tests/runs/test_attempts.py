"""The record of a limited run: every try is in it before it is sent, and none is sent that it can't take."""

from __future__ import annotations

import pytest

from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import (
    AgentFailed,
    AgentFinished,
    AgentStarted,
    AttemptSettled,
    AttemptStarted,
    ErrorInfo,
    ModelChosen,
    ModelRetrying,
    RecordedEvent,
    RunEvent,
    RunStarted,
)
from llm_orc.errors import StorageError
from llm_orc.providers.base import Usage
from llm_orc.runs.attempts import RecordedAttempts
from llm_orc.runs.costs import CostsSoFar
from llm_orc.runs.journal import Journal
from llm_orc.runs.recipe import load_run
from llm_orc.runs.record import Recorder
from llm_orc.runs.state import RunState
from tests.runs.conftest import new_run

PAID = Access("p", "api-key", Billing.METERED, "a key", "http://127.0.0.1:1")
CUT = ErrorInfo("reply_cut", "cut", may_be_billed=True)


async def test_a_try_is_in_the_file_before_it_is_sent_and_settled_after_it(journal: Journal) -> None:
    journal.begin(new_run("run-1", "a"))
    recorder = Recorder(journal, "run-1", lambda _event: None)
    budget = Budget(Ceilings(1.0), record=RecordedAttempts(recorder, lambda: 5.0))
    attempt = Attempt(AgentPath("a"), 0.4)

    async with budget.reserve(attempt):
        await budget.count(attempt)
        before = load_run(journal, "run-1").events
        attempt.is_sent, attempt.cost_usd = True, 0.1
    await recorder.commit(RunStarted(6.0, "run-1", "panel", ("a",), "x"))

    assert before == (AttemptStarted(5.0, AgentPath("a"), 1, 0.4),)
    assert load_run(journal, "run-1").events[1] == AttemptSettled(5.0, AgentPath("a"), 1, 0.1)


async def test_nothing_is_sent_once_the_record_takes_no_more(journal: Journal) -> None:
    journal.begin(new_run("run-1", "a"))
    shown: list[RunEvent] = []
    recorder = Recorder(journal, "run-1", shown.append)
    budget = Budget(Ceilings(1.0), record=RecordedAttempts(recorder, lambda: 5.0))
    journal.delete(["run-1"])  # from here on nothing can be written

    for _ in range(2):
        attempt = Attempt(AgentPath("a"), 0.4)
        with pytest.raises(StorageError):
            async with budget.reserve(attempt):
                await budget.count(attempt)

    assert budget.spent_usd == 0


def costs_after(*events: RecordedEvent) -> CostsSoFar:
    costs = CostsSoFar()
    for event in events:
        costs.apply(event)
    return costs


def test_a_try_without_an_end_counts_at_its_most() -> None:
    costs = costs_after(
        RunStarted(0.0, "r", "e", ("a",), "x", limits=("cost",)),
        AgentStarted(0.0, AgentPath("a"), "model"),
        ModelChosen(0.0, AgentPath("a"), "m", PAID),
        AttemptStarted(0.0, AgentPath("a"), 1, 0.4),
        AttemptSettled(0.0, AgentPath("a"), 1, 0.1),
        AttemptStarted(0.0, AgentPath("a"), 2, 0.3),
    )

    assert costs.counted_usd == pytest.approx(0.4)
    assert (costs.calls, costs.unanswered, costs.uncounted) == (2, 1, [])


def test_tries_that_no_limit_counted_are_named() -> None:
    costs = costs_after(
        RunStarted(0.0, "r", "e", ("a", "b", "c"), "x"),
        AgentStarted(0.0, AgentPath("a"), "model"),
        ModelChosen(0.0, AgentPath("a"), "m", PAID),
        ModelRetrying(0.0, AgentPath("a"), 2, 0.0, CUT),
        AgentFailed(0.0, AgentPath("a"), 1.0, ErrorInfo("rate_limited", "busy")),
        AgentStarted(0.0, AgentPath("b"), "model"),
        ModelChosen(0.0, AgentPath("b"), "m", PAID),
        AgentFailed(0.0, AgentPath("b"), 1.0, CUT),
        AgentStarted(0.0, AgentPath("c"), "model"),
        ModelChosen(0.0, AgentPath("c"), "m", PAID),  # and then it was killed
        RunStarted(0.0, "r", "e", ("a", "b", "c"), "x", limits=("cost",)),
    )

    assert costs.uncounted == ["a", "b", "c"]
    assert (costs.calls, costs.counted_usd, costs.unanswered) == (4, 0.0, 3)
    costs.apply(AttemptSettled(0.0, AgentPath("b"), 0, 0.2))
    assert (costs.uncounted, costs.counted_usd) == (["a", "c"], 0.2)


def test_tries_on_a_plans_credits_may_be_billed_and_count_against_no_limit_of_money() -> None:
    on_plan = Access("plan", "oauth", Billing.PLAN_CREDITS, "a sign-in", "http://127.0.0.1:1")
    free = Access("plan", "oauth", Billing.SUBSCRIPTION, "a sign-in", "http://127.0.0.1:1")
    state = RunState()
    state.apply(RunStarted(1.0, "run-1", "panel", ("a", "b", "c"), "x"))
    for name, access in (("a", on_plan), ("b", PAID), ("c", free)):
        state.apply(AgentStarted(1.0, AgentPath(name), "model"))
        state.apply(ModelChosen(1.0, AgentPath(name), "m", access))
    state.apply(ModelRetrying(2.0, AgentPath("a"), 2, 0.1, CUT))
    for name in ("a", "c"):
        access = on_plan if name == "a" else free
        output = AgentOutput("yes", (ModelCall("m", access, Usage(5, 5), None if name == "a" else 0.0),))
        state.apply(AgentFinished(3.0, AgentPath(name), 1.0, output))

    state.costs.stop()
    result = state.result()

    assert (result.unanswered, result.unanswered_on_plan) == (2, 1)
    assert state.costs.uncounted == ["b"]
    by_billing = {who: (spend.cost_usd, spend.unknown_costs) for who, spend in result.by_billing.items()}
    assert by_billing == {"plan-credits": (None, 2), "metered": (None, 1), "subscription": (0.0, 0)}
