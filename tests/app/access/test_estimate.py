"""What a run would cost is worked out from what its agents are told and may answer."""

from __future__ import annotations

import pytest

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.samples.spec import Samples
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.app.access.bills.estimate import estimate
from llm_orc.app.access.models import HttpConnection, Model
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import NoCredential
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.providers.endpoint import Endpoint
from llm_orc.runs.recipe import Recipe

A_CENT_PER_TEN = 0.001  # US dollars a token
TASK = "x" * 400
URL = "https://api.example.com"


def model(
    max_tokens: int,
    billing: Billing = Billing.METERED,
    price: float | None = A_CENT_PER_TEN,
    role: str | None = None,
) -> Model:
    choice = ModelChoice("acme", "m", "user", max_tokens=max_tokens, cost_per_token=price, system_prompt=role)
    connection = HttpConnection(Endpoint("acme", "openai-chat", URL, URL), NoCredential(URL))
    return Model(choice, "m", connection, Access("acme", "api-key", billing, "a key", URL))


def recipe(*agents: AgentSpec) -> Recipe:
    return Recipe(Ensemble("panel", agents), TASK, {})


FIRST, SECOND = AgentSpec("first"), AgentSpec("second", depends_on=("first",))


def test_a_call_is_its_task_its_role_its_history_what_comes_before_it_and_its_answer() -> None:
    ways = {"first": [model(800, role="A lawyer")], "second": [model(100)]}

    worked_out = estimate(recipe(FIRST, SECOND), ways, {"second": 40})

    assert worked_out is not None
    assert worked_out.calls == 2
    # four characters a token: (400 + 8) / 4 and (400 + 40) / 4
    assert worked_out.likely_usd == pytest.approx(A_CENT_PER_TEN * ((102 + 500) + (110 + 500 + 100)))
    assert worked_out.most_usd == pytest.approx(A_CENT_PER_TEN * ((102 + 800) + (110 + 800 + 100)))


def test_only_the_first_way_of_an_agent_counts_and_only_where_it_is_metered() -> None:
    free = model(800, Billing.LOCAL)

    worked_out = estimate(recipe(FIRST, SECOND), {"first": [free, model(5)], "second": [model(100), free]}, {})

    assert worked_out is not None
    assert worked_out.calls == 1
    assert worked_out.likely_usd == pytest.approx(A_CENT_PER_TEN * (100 + 500 + 100))
    assert worked_out.most_usd == pytest.approx(A_CENT_PER_TEN * (100 + 800 + 100))


@pytest.mark.parametrize("billing", [Billing.LOCAL, Billing.SUBSCRIPTION])
def test_nothing_metered_has_no_estimate(billing: Billing) -> None:
    assert estimate(recipe(FIRST), {"first": [model(100, billing)]}, {}) is None


def test_one_price_that_nobody_knows_leaves_the_sum_unknown() -> None:
    worked_out = estimate(recipe(FIRST, SECOND), {"first": [model(9)], "second": [model(9, price=None)]}, {})

    assert worked_out is not None
    assert (worked_out.calls, worked_out.likely_usd, worked_out.most_usd) == (2, None, None)


def test_items_and_samples_count_as_often_as_they_may_be_asked() -> None:
    written = AgentSpec("first", fan_out=FanOut(("x" * 40, "y"), max=100))
    listed = AgentSpec("second", depends_on=("first",), fan_out=FanOut(max=7), samples=Samples(3))

    known = estimate(recipe(written), {"first": [model(100)]}, {})
    bound = estimate(recipe(written, listed), {"first": [model(100)], "second": [model(10)]}, {})

    assert known is not None
    assert bound is not None
    assert (known.calls, known.is_bound) == (2, False)
    assert known.likely_usd == pytest.approx(A_CENT_PER_TEN * 2 * (110 + 100))
    assert (bound.calls, bound.is_bound) == (2 + 7 * 3, True)


def test_rounds_items_samples_and_repairs_multiply() -> None:
    text = """\
name: panel
agents:
  - name: each
    fan_out: {over: [aaaa, bbbb, cccc]}
    loop:
      max_rounds: 4
      agents:
        - {name: writer, prompt: "0123456789012345", samples: 2}
        - {name: judge, prompt: "01234567", schema: {type: object}, repairs: 1, depends_on: [writer]}
"""
    panel = Recipe(parse_ensemble_text(text).ensemble, TASK, {})

    worked_out = estimate(panel, {"each/writer": [model(100)], "each/judge": [model(50)]}, {})

    assert worked_out is not None
    rounds = 3 * 4
    sent_back = 50 + 500
    assert worked_out.calls == rounds * (2 + 1)
    assert worked_out.likely_usd == pytest.approx(A_CENT_PER_TEN * rounds * (2 * (4 + 100) + (2 + 50)))
    assert worked_out.most_usd == pytest.approx(
        A_CENT_PER_TEN * rounds * (2 * (4 + 100) + (2 + 50) + (2 + sent_back + 50))
    )


def test_an_answer_that_may_be_sent_back_costs_more_at_most() -> None:
    judge = AgentSpec("first", ModelWork(schema={"type": "object"}, repairs=1))

    worked_out = estimate(recipe(judge), {"first": [model(800)]}, {})

    assert worked_out is not None
    assert worked_out.likely_usd == pytest.approx(A_CENT_PER_TEN * (100 + 500))
    # the second call has the first answer, and what is wrong with it
    assert worked_out.most_usd == pytest.approx(A_CENT_PER_TEN * ((100 + 800) + (100 + 800 + 500 + 800)))
