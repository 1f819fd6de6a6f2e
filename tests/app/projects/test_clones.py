"""What files of a clone say is nobody's agreement to pay: it is used where it is free or agreed to, else refused."""

from __future__ import annotations

import pytest

from llm_orc.agents.named_models import named_model
from llm_orc.app.access.explain import explain_access
from llm_orc.app.conversations.targets import with_model
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.auth.access import Billing
from llm_orc.errors import MeteredNotAllowed, NotTrusted
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run
from tests.app.projects.clones import CONFIG, PAID, PLAN, on_sandbox_again, refused, trust, without_local_server
from tests.fakes.claude import StandIn

PAYING_AGENTS: dict[str, dict[str, object]] = {
    "a provider": PAID,
    "a provider in the place of its model": {"model": "anthropic-api"},
    "a paid profile of the user's": {"model_profile": "paid"},
    "a way in on the user's plan profile": {"model_profile": "plan", "auth_method": "api-key"},
    "a way in on a plan": {"provider": PLAN, "auth_method": "api-key"},
    "a way in on the default profile": {"auth_method": "api-key", "model_profile": "default"},
}


@pytest.mark.parametrize("agent", PAYING_AGENTS.values(), ids=PAYING_AGENTS)
async def test_an_agent_of_a_clone_does_not_agree_to_pay(
    clone: Workspace, sandbox: Sandbox, agent: dict[str, object]
) -> None:
    without_local_server(clone, sandbox, model_profiles={"paid": PAID, "plan": {"provider": PLAN}})
    file = clone.cloned("one", {"name": "a", **agent})

    error = await refused(clone, sandbox)

    assert isinstance(error, MeteredNotAllowed)
    assert str(file) in error.message
    assert "ANTHROPIC_API_KEY" in error.message
    assert "`llm-orc trust`" in str(error.hint)


@pytest.mark.parametrize("agent", PAYING_AGENTS.values(), ids=PAYING_AGENTS)
@pytest.mark.parametrize("agreement", ["trust", "for this run"])
async def test_it_is_used_once_its_user_agrees(
    clone: Workspace, sandbox: Sandbox, agent: dict[str, object], agreement: str
) -> None:
    without_local_server(clone, sandbox, model_profiles={"paid": PAID, "plan": {"provider": PLAN}})
    clone.cloned("one", {"name": "a", **agent})
    if agreement == "trust":
        trust(clone)

    result, seen = await run(clone.app(), "one", allow_metered=agreement != "trust")

    assert result.status == "completed"
    assert seen.plans[0].agents[0].access.billing is Billing.METERED
    assert [r.headers["x-api-key"] for r in sandbox.requests] == [KEY]


async def test_what_is_free_is_used_without_asking(clone: Workspace, sandbox: Sandbox) -> None:
    clone.cloned("one", local("a"), {"name": "b", "model_profile": "free"}, {"name": "c", "temperature": 0.1})

    result, seen = await run(clone.app(), "one")

    assert result.status == "completed"
    assert result.by_billing.keys() == {"local"}
    assert seen.plans[0].notices == ()


async def test_a_plan_is_free_and_a_key_beside_it_is_not(
    clone: Workspace, sandbox: Sandbox, claude: StandIn
) -> None:
    providers = on_sandbox(sandbox)["providers"]
    assert isinstance(providers, dict)
    providers[PLAN] = {"auth_method": ["claude-cli", "api-key"]}  # what `llm-orc auth prefer` writes
    clone.settings({"providers": providers})
    clone.environ |= {"PATH": claude.path}
    clone.cloned("one", {"name": "a", "provider": PLAN})

    result, seen = await run(clone.app(), "one")

    assert result.by_billing.keys() == {"subscription"}
    assert seen.plans[0].agents[0].fallbacks == ()
    assert any("is left out" in notice and "you have not trusted" in notice for notice in seen.plans[0].notices)


async def test_a_fallback_of_the_users_is_no_fallback_of_a_clones_agent(clone: Workspace) -> None:
    clone.settings(
        {
            **on_sandbox_again(clone),
            "providers": {
                **on_sandbox_again(clone)["providers"],
                PLAN: {"allow_metered_fallback": True},
            },
        }
    )
    clone.cloned("tied", {"name": "a", "model_profile": "free", "fallback_model_profile": "paid"})
    clone.cloned("chained", {"name": "a", "model_profile": "chain"})

    for name in ("tied", "chained"):
        result, seen = await run(clone.app(), name)

        assert result.by_billing.keys() == {"local"}
        assert seen.plans[0].agents[0].fallbacks == ()
        assert any("`paid` is left out" in notice for notice in seen.plans[0].notices)


async def test_a_model_that_its_user_types_is_their_word(clone: Workspace) -> None:
    clone.cloned(
        "one", {"name": "a", "provider": PLAN, "auth_method": "api-key", "fallback_model_profile": "chain"}
    )
    clone.write(CONFIG, {"model_profiles": {"theirs": PAID}})
    app = clone.app()
    typed = with_model(find_ensemble(app, "one"), named_model(app.settings, "anthropic-api"))
    theirs = with_model(find_ensemble(app, "one"), named_model(app.settings, "theirs"))

    plan = await explain_access(app, typed)

    assert [agent.access.billing for agent in plan.agents] == [Billing.METERED]
    assert plan.agents[0].fallbacks == ()
    with pytest.raises(MeteredNotAllowed):
        await explain_access(app, theirs)


async def test_an_endpoint_of_a_clone_is_refused_with_the_exit_code_of_access(
    clone: Workspace, sandbox: Sandbox
) -> None:
    clone.write(CONFIG, {"model_profiles": {"theirs": {**PAID, "base_url": "http://127.0.0.1:9"}}})
    clone.cloned("one", {"name": "a", "model_profile": "theirs"})

    assert isinstance(await refused(clone, sandbox), NotTrusted)
