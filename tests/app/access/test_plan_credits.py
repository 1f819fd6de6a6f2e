"""A plan that passes into credits: never free, one yes that is kept, and no fallback to it or from it unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llm_orc.app.access.bills.agreements import bills_of
from llm_orc.app.access.consent import Consent, remember_plan_credits
from llm_orc.app.access.explain import explain_access, preview_run
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.sign_in import add_api_key
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.demo import run_demo
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.auth.access import Billing
from llm_orc.auth.secret import Secret
from llm_orc.errors import AuthError, MeteredNotAllowed, PlanCreditsNotAllowed
from tests.app.conftest import local, run
from tests.fakes.access_place import MINE, Place, one_story
from tests.fakes.claude import install

PLAN = {"billing": "plan-credits", "allow_plan_credits": True}


def keep_key(place: Place, provider: str) -> None:
    app = place.workspace.app()
    add_api_key(app, open_provider(app, provider), Secret("sk-of-a-plan"))


def only(place: Place) -> None:
    """Let no server of this machine answer agents that name no model."""
    place.workspace.settings({"providers": {**place.providers, "ollama": {"base_url": "http://127.0.0.1:9/v1"}}})


def on_plan(place: Place, **more: object) -> None:
    """Describe a provider whose key draws on a plan, and give the agent `a` of the ensemble `one` that provider."""
    place.settings(MINE, **{**PLAN, **more})
    keep_key(place, MINE)
    place.workspace.ensemble("one", {"name": "a", "provider": MINE, "model": "m"})


async def test_without_the_yes_of_its_user_it_is_not_used_and_every_view_says_what_to_do(place: Place) -> None:
    on_plan(place, allow_plan_credits=False)

    with pytest.raises(PlanCreditsNotAllowed) as refused:
        await run(place.workspace.app(), "one")

    used, sent = await one_story(place, MINE)
    [row] = (await place.status(MINE)).credentials
    setting = f"`providers.{MINE}.allow_plan_credits: true`"
    assert (used, sent, place.sandbox.request_count) == (None, "", 0)
    assert (refused.value.exit_code, refused.value.provider) == (4, MINE)
    for hint in (refused.value.hint, row.hint):
        assert hint is not None
        assert setting in hint
        assert "--allow-metered" in hint
    assert row.billing is Billing.PLAN_CREDITS


async def test_the_yes_is_given_once_and_kept(place: Place) -> None:
    on_plan(place, allow_plan_credits=False)

    file = remember_plan_credits(place.workspace.app(), MINE)
    used, sent = await one_story(place, MINE)

    assert yaml.safe_load(file.read_text())["providers"][MINE]["allow_plan_credits"] is True
    assert used is not None
    assert (used.billing, sent) == (Billing.PLAN_CREDITS, "sk-of-a-plan")


@pytest.mark.parametrize("consent", [Consent(allow_metered=True), Consent(plans=frozenset({MINE}))])
async def test_a_yes_for_one_run_holds_for_that_run(place: Place, consent: Consent) -> None:
    on_plan(place, allow_plan_credits=False)
    app = place.workspace.app()

    result = await run_ensemble(app, find_ensemble(app, "one"), RunOptions("t", consent=consent))

    assert result.status == "completed"
    with pytest.raises(PlanCreditsNotAllowed):
        await run(app, "one")


async def test_a_yes_to_one_plan_is_none_to_another(place: Place) -> None:
    place.settings(MINE, billing="plan-credits")
    place.settings("anthropic-api", billing="plan-credits")
    for provider in (MINE, "anthropic-api"):
        keep_key(place, provider)
    place.workspace.ensemble(
        "two",
        {"name": "a", "provider": MINE, "model": "m"},
        {"name": "b", "provider": "anthropic-api", "model": "n"},
    )
    app, consent = place.workspace.app(), Consent().including(plans=[MINE])
    two = find_ensemble(app, "two")

    with pytest.raises(PlanCreditsNotAllowed) as refused:
        await run_ensemble(app, two, RunOptions("t", consent=consent))
    both = consent.including(plans=["anthropic-api"])
    result = await run_ensemble(app, two, RunOptions("t", consent=both))

    assert (refused.value.provider, consent.includes(refused.value)) == ("anthropic-api", False)
    assert result.status == "completed"


async def test_a_yes_to_a_bill_is_none_to_one_that_appears_later(place: Place) -> None:
    place.settings("openai", default_model="m")
    only(place)
    place.workspace.environ["OPENAI_API_KEY"] = "sk-found"
    place.workspace.ensemble("open", {"name": "a"})
    app = place.workspace.app()
    shown = bills_of(await preview_run(app, find_ensemble(app, "open"), "t"))
    consent = Consent().including(shown)

    result = await run_ensemble(app, find_ensemble(app, "open"), RunOptions("t", consent=consent))
    place.settings("openai", default_model="other")
    only(place)
    app = place.workspace.app()
    with pytest.raises(MeteredNotAllowed):
        await run_ensemble(app, find_ensemble(app, "open"), RunOptions("t", consent=consent))

    assert [bill.provider for bill in shown] == ["openai"]
    assert result.status == "completed"


async def test_a_yes_to_a_plans_credits_is_none_to_a_bill_per_token(place: Place) -> None:
    place.settings("openai")
    only(place)
    place.workspace.environ["OPENAI_API_KEY"] = "sk-found"
    place.workspace.ensemble("open", {"name": "a"})
    app = place.workspace.app()

    with pytest.raises(MeteredNotAllowed) as refused:
        await run_ensemble(
            app, find_ensemble(app, "open"), RunOptions("t", consent=Consent(plans=frozenset({"openai"})))
        )

    assert not isinstance(refused.value, PlanCreditsNotAllowed)


async def test_what_its_calls_cost_is_not_known_and_is_never_added_as_nothing(place: Place) -> None:
    on_plan(place)
    place.workspace.ensemble("two", {"name": "a", "provider": MINE, "model": "m"}, local("b"))
    app = place.workspace.app()

    plan = await preview_run(app, find_ensemble(app, "two"), "t")
    result, seen = await run(app, "two", max_cost_usd=5.0)

    assert plan.estimate() is None
    assert seen.plans[0].agents[0].access.billing is Billing.PLAN_CREDITS
    assert (result["a"].cost_usd, result["b"].cost_usd, result.total.cost_usd) == (None, 0.0, None)
    assert {who: spend.unknown_costs for who, spend in result.by_billing.items()} == {
        "plan-credits": 1,
        "local": 0,
    }
    assert result.counted_usd == 0
    assert any(f"doesn't limit `{MINE}`" in notice for notice in seen.plans[0].notices)


async def test_the_list_price_that_a_program_reports_is_not_money_spent(place: Place, tmp_path: Path) -> None:
    claude = install(tmp_path / "stand-in")  # its result line has `total_cost_usd`
    place.workspace.environ = {"PATH": claude.path}
    place.workspace.settings({"providers": {"claude-cli": PLAN, "ollama": {"base_url": "http://127.0.0.1:9/v1"}}})
    place.workspace.ensemble("one", {"name": "a", "provider": "claude-cli"})

    result, _ = await run(place.workspace.app(), "one")

    assert result["a"].access is not None
    assert (result["a"].access.billing, result["a"].cost_usd) == (Billing.PLAN_CREDITS, None)
    assert (result.total.cost_usd, result.total.known_cost_usd) == (None, 0.0)


async def test_nothing_replaces_it_that_bills_per_token(place: Place) -> None:
    oauth = {"authorization_endpoint": f"{place.sandbox.origin}/a", "token_endpoint": place.server.token_endpoint}
    place.settings("openai", oauth={**oauth, "billing": "plan-credits"}, allow_plan_credits=True)
    place.sign_in("openai", lifetime_s=-5, renewable=False)
    place.workspace.environ["OPENAI_API_KEY"] = "sk-found"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")


async def test_it_replaces_nothing_that_is_free_unless_it_is_named(place: Place) -> None:
    place.settings("anthropic-api", **PLAN)
    place.settings(MINE, billing="subscription", default_model="m")
    only(place)
    keep_key(place, "anthropic-api")
    place.workspace.ensemble("open", {"name": "a"})
    before = await explain_access(place.workspace.app(), find_ensemble(place.workspace.app(), "open"))
    place.sign_in(MINE, lifetime_s=-5, renewable=False)
    app = place.workspace.app()

    assert before.agents[0].access.billing is Billing.PLAN_CREDITS  # with nothing else set up it is used
    with pytest.raises(AuthError, match="the best access found is `anthropic-api`, on your plan's credits"):
        await explain_access(app, find_ensemble(app, "open"))


async def test_a_named_fallback_may_be_on_it_and_is_shown(place: Place) -> None:
    on_plan(place)
    place.settings("openai")
    place.workspace.settings(
        {
            "providers": place.providers,
            "model_profiles": {
                "first": {"provider": "openai", "model": "gpt-5.5", "fallback_model_profile": "then"},
                "then": {"provider": MINE, "model": "m"},
            },
        }
    )
    place.key("openai", "sk-metered")
    place.workspace.ensemble("one", {"name": "a", "model_profile": "first"})
    app = place.workspace.app()

    [agent] = (await explain_access(app, find_ensemble(app, "one"))).agents

    assert [access.billing for _, access in agent.fallbacks] == [Billing.PLAN_CREDITS]


async def test_a_fallback_without_the_yes_is_left_out_with_a_notice(place: Place) -> None:
    on_plan(place, allow_plan_credits=False)
    place.workspace.settings(
        {
            "providers": {
                **place.providers,
                "openai-compatible": {"base_url": place.sandbox.base_url("openai-chat")},
            },
            "model_profiles": {
                "first": {"provider": "openai-compatible", "model": "m", "fallback_model_profile": "then"},
                "then": {"provider": MINE, "model": "m"},
            },
        }
    )
    place.workspace.ensemble("one", {"name": "a", "model_profile": "first"})
    app = place.workspace.app()

    plan = await explain_access(app, find_ensemble(app, "one"))

    assert plan.agents[0].fallbacks == ()
    assert any("fallback `then` is left out" in notice and "your yes" in notice for notice in plan.notices)


async def test_a_file_that_nobody_trusts_spends_no_credits(place: Place) -> None:
    on_plan(place)
    place.workspace.cloned("theirs", {"name": "a", "provider": MINE, "model": "m"})
    app = place.workspace.app()

    with pytest.raises(PlanCreditsNotAllowed, match="you have not trusted") as refused:
        await run(app, "theirs")

    assert refused.value.named_in is not None
    assert refused.value.provider is None  # a yes that is kept would be one to that file


async def test_a_demo_uses_no_credits(place: Place) -> None:
    on_plan(place)
    place.workspace.settings(
        {"providers": place.providers, "model_profiles": {"default": {"provider": MINE, "model": "m"}}}
    )

    result = await run_demo(place.workspace.app())

    assert result.sandbox
