"""An access that has shown itself closed is not tried again by any agent of the run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.auth.access import Access, Billing
from llm_orc.errors import CredentialExpired, CredentialRefused, LlmOrcError, NotLoggedIn, RateLimited
from llm_orc.providers.base import LONGEST_WAIT_S
from tests.agents.test_llm import ACCESS, Scripted, Watcher

PLAN = replace(ACCESS, billing=Billing.SUBSCRIPTION)
METERED = replace(ACCESS, billing=Billing.METERED)


def limited(retry_after_s: float | None) -> RateLimited:
    error = RateLimited("the limit is reached")
    error.retry_after_s = retry_after_s
    return error


def candidate(model: Scripted, access: Access) -> Candidate:
    return Candidate(ModelChoice("pretend", "m", "user", max_tokens=9), model, access, lambda _model, _usage: 0.1)


async def call(caller: LlmCaller, name: str) -> str:
    return (await caller(AgentTurn(AgentPath(name), AgentSpec(name), "the prompt", Watcher()))).text


async def asked_twice(access: Access, failure: LlmOrcError) -> int:
    """Return how often two agents of one run ask the same model over an access that fails so."""
    model = Scripted("m", failure)
    caller = LlmCaller({name: [candidate(model, access)] for name in ("a", "b")})
    for name in ("a", "b"):
        with pytest.raises(type(failure)):
            await call(caller, name)
    return len(model.requests)


@pytest.mark.parametrize(
    ("access", "failure", "times"),
    [
        (ACCESS, NotLoggedIn("no sign-in"), 1),
        (ACCESS, CredentialExpired("over"), 1),
        (ACCESS, CredentialRefused("perhaps this model alone"), 2),
        (PLAN, limited(LONGEST_WAIT_S + 1), 1),
        (PLAN, limited(LONGEST_WAIT_S), 2),
        (PLAN, limited(None), 2),
        (METERED, limited(LONGEST_WAIT_S + 1), 2),
    ],
)
async def test_what_every_other_call_would_meet_closes_an_access(
    access: Access, failure: LlmOrcError, times: int
) -> None:
    assert await asked_twice(access, failure) == times


async def test_a_plan_that_is_used_up_is_closed_for_that_model_alone() -> None:
    used_up, other = Scripted("large", limited(LONGEST_WAIT_S + 1)), Scripted("small", "Yes.")
    caller = LlmCaller({"a": [candidate(used_up, PLAN)], "b": [candidate(used_up, PLAN), candidate(other, PLAN)]})

    with pytest.raises(RateLimited):
        await call(caller, "a")

    assert await call(caller, "b") == "Yes."
    assert len(used_up.requests) == 1


async def test_a_sign_in_that_is_gone_is_closed_for_all_its_models_and_no_other_access() -> None:
    gone, other = Scripted("large", NotLoggedIn("no sign-in")), Scripted("small", "Yes.")
    caller = LlmCaller(
        {"a": [candidate(gone, PLAN)], "b": [candidate(other, PLAN)], "c": [candidate(other, METERED)]}
    )

    for name in ("a", "b"):
        with pytest.raises(NotLoggedIn):
            await call(caller, name)

    assert await call(caller, "c") == "Yes."
    assert len(other.requests) == 1


async def test_callers_with_budgets_of_their_own_know_and_learn_the_same() -> None:
    gone = Scripted("m", NotLoggedIn("no sign-in"))
    ways = {"a": [candidate(gone, ACCESS)]}
    caller = LlmCaller(ways)

    for one in (
        caller.with_budgets([Budget(Ceilings(100))]),
        caller.with_budgets([Budget(Ceilings(100))], ways),
        caller,
    ):
        with pytest.raises(NotLoggedIn):
            await call(one, "a")

    assert len(gone.requests) == 1


async def test_a_caller_with_a_budget_asks_the_candidates_that_it_was_given() -> None:
    first, second = Scripted("first", "one"), Scripted("second", "two")
    caller = LlmCaller({"a": [candidate(first, ACCESS)]})

    assert await call(caller.with_budgets([Budget(Ceilings(100))]), "a") == "one"
    assert (
        await call(caller.with_budgets([Budget(Ceilings(100))], {"a": [candidate(second, ACCESS)]}), "a") == "two"
    )
