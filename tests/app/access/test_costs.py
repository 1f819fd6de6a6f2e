"""What a call costs: by the provider's word where it can be true, the profile's, or the price list."""

from __future__ import annotations

import pytest

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.bills.costs import cost_of
from llm_orc.app.access.models import HttpConnection, Model
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.providers.base import Usage
from llm_orc.providers.endpoint import Endpoint

URL = "https://provider.example"
SONNET = "claude-sonnet-4-5"  # 3 and 15 dollars a million tokens
TOKENS = Usage(1000, 1000)


def ready(billing: Billing = Billing.METERED, per_token: float | None = None, model: str = SONNET) -> Model:
    choice = ModelChoice("anthropic-api", model, "user", cost_per_token=per_token)
    key = ApiKeyHeader(URL, "x-key", Secret("k"), "")
    connection = HttpConnection(Endpoint("anthropic-api", "anthropic", URL, URL), key)
    return Model(choice, model, connection, Access("anthropic-api", "api-key", billing, "a key", URL))


def stated(cost_usd: float, usage: Usage = TOKENS) -> Usage:
    return Usage(usage.input_tokens, usage.output_tokens, cost_usd=cost_usd)


@pytest.mark.parametrize("billing", [Billing.LOCAL, Billing.SUBSCRIPTION])
def test_a_plan_and_this_machine_charge_nothing_for_a_call_whatever_is_known_of_it(billing: Billing) -> None:
    for usage in (TOKENS, Usage(), stated(0.5)):
        assert cost_of(ready(billing))(SONNET, usage) == 0


def test_what_a_call_on_a_plans_credits_costs_is_not_known_whatever_is_stated_of_it() -> None:
    for usage in (TOKENS, Usage(), stated(0.5), stated(0.0)):
        assert cost_of(ready(Billing.PLAN_CREDITS, per_token=0.001))(SONNET, usage) is None


def test_the_providers_word_counts_before_the_profiles_and_that_before_the_list() -> None:
    assert cost_of(ready(per_token=1.0))(SONNET, stated(0.5)) == 0.5
    assert cost_of(ready(per_token=0.001))(SONNET, TOKENS) == 2.0
    assert cost_of(ready())(SONNET, TOKENS) == pytest.approx(0.018)


def test_a_stated_nothing_is_no_word_against_a_price() -> None:
    assert cost_of(ready())(SONNET, stated(0.0)) == pytest.approx(0.018)
    assert cost_of(ready())(SONNET, stated(0.0, Usage())) is None
    assert cost_of(ready(model="model-of-the-future"))("model-of-the-future", stated(0.0)) == 0


def test_a_model_that_calls_itself_a_cheaper_one_is_not_believed() -> None:
    assert cost_of(ready())("claude-3-haiku-20240307", TOKENS) == pytest.approx(0.018)
    assert cost_of(ready())("nobody-knows", TOKENS) == pytest.approx(0.018)


@pytest.mark.parametrize("per_token", [None, 0.001, 1e308])
def test_a_cost_that_can_not_be_worked_out_is_not_known(per_token: float | None) -> None:
    usage = Usage(None, 5) if per_token != 1e308 else TOKENS

    assert cost_of(ready(per_token=per_token))(SONNET, usage) is None
