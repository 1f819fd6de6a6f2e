"""A metered call under a limit is not sent if nobody can say what it may cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.candidate import Candidate, Unbounded
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.model.counted_attempts import counted
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.errors import BudgetExceeded
from llm_orc.providers.base import Message, ModelRequest
from tests.agents.test_llm import ACCESS, Scripted

METERED = replace(ACCESS, billing=Billing.METERED)
REQUEST = ModelRequest((Message("user", "hello"),))


def candidate(
    *,
    price: float | None = 0.01,
    options: tuple[str, ...] = (),
    access: Access = METERED,
    unbounded: Unbounded | None = None,
) -> Candidate:
    choice = ModelChoice("pretend", "m", "user")
    return Candidate(choice, Scripted("m", "hi"), access, lambda _model, _usage: price, options, unbounded)


def test_a_model_without_a_known_price_is_not_called_under_a_limit() -> None:
    with pytest.raises(BudgetExceeded, match="agent `a` is not called: the price of `m` is unknown") as caught:
        counted(REQUEST, candidate(price=None), AgentPath("a"), [Budget(Ceilings(1.0))])

    assert "`cost_per_token`" in (caught.value.hint or "")


def test_nor_one_with_options_that_may_cost_more_than_tokens() -> None:
    with pytest.raises(BudgetExceeded, match="its possible cost with `web`, `audio` in its `options`") as caught:
        counted(REQUEST, candidate(options=("web", "audio")), AgentPath("a"), [Budget(Ceilings(1.0))])

    assert "`options`" in (caught.value.hint or "")


def test_a_limited_call_gets_a_limit_of_tokens_and_its_own_limit_stays() -> None:
    limited = counted(REQUEST, candidate(), AgentPath("a"), [Budget(Ceilings(1.0))])
    own = counted(replace(REQUEST, max_tokens=7), candidate(), AgentPath("a"), [Budget(Ceilings(1.0))])

    assert limited.max_tokens is not None
    assert limited.max_tokens > 7
    assert own.max_tokens == 7


@pytest.mark.parametrize(
    ("model", "budget"),
    [
        (candidate(price=None), Budget(Ceilings(max_calls=5))),
        (candidate(price=None, access=ACCESS), Budget(Ceilings(1.0))),
    ],
    ids=["only calls are limited", "nothing is metered"],
)
def test_a_call_whose_cost_is_not_limited_needs_no_price(model: Candidate, budget: Budget) -> None:
    request = counted(REQUEST, model, AgentPath("a"), [budget])

    assert request.max_tokens is None
    assert request.permit is not None


def test_tokens_are_limited_of_every_access_and_only_where_a_call_says_how_many_it_may_take() -> None:
    tokens = Budget(Ceilings(max_total_tokens=100_000))
    free = counted(REQUEST, candidate(price=None, access=ACCESS), AgentPath("a"), [tokens])
    endless = candidate(access=ACCESS, unbounded=Unbounded("it has no limit", "Take another one."))

    assert free.max_tokens is not None
    assert counted(REQUEST, endless, AgentPath("a"), [Budget(Ceilings(max_calls=5))]).max_tokens is None
    with pytest.raises(
        BudgetExceeded, match="agent `a` is not called, as its tokens are limited: it has no"
    ) as no:
        counted(REQUEST, endless, AgentPath("a"), [tokens])
    assert no.value.hint == "Take another one."
