"""Settings of a clone that nobody trusts: what costs or loosens a limit does not count, and this is said."""

from __future__ import annotations

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.access.explain import explain_access
from llm_orc.app.conversations.targets import resolve_target
from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.diagnostics.doctor import examine
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.demo import run_demo
from llm_orc.app.runs.request import RunListener
from llm_orc.errors import EnsembleInvalid, MeteredNotAllowed
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Seen, Workspace, local, run
from tests.app.projects.clones import CONFIG, PAID, PLAN, on_sandbox_again, without_local_server
from tests.fakes.claude import StandIn


@pytest.mark.parametrize(
    "default",
    [{"auth_method": "api-key"}, PAID, {"provider": PLAN, "auth_method": "api-key"}, {"model": "anthropic-api"}],
)
@pytest.mark.parametrize("who", ["quick-answer", None], ids=["bundled", "chat"])
async def test_a_default_of_a_clone_makes_no_stray_key_pay(
    clone: Workspace, sandbox: Sandbox, default: dict[str, object], who: str | None
) -> None:
    without_local_server(clone, sandbox)
    clone.write(CONFIG, {"model_profiles": {"default": default}})
    ensemble = resolve_target(clone.app(), who)

    with pytest.raises(MeteredNotAllowed) as caught:
        await explain_access(clone.app(), ensemble)

    assert caught.value.exit_code == 4
    assert "config.yaml:" in caught.value.message
    assert sandbox.request_count == 0


async def test_a_free_default_of_a_clone_is_used(clone: Workspace) -> None:
    clone.write(CONFIG, {"model_profiles": {"default": {"provider": "openai-compatible", "model": "theirs"}}})

    plan = await explain_access(clone.app(), find_ensemble(clone.app(), "quick-answer"))

    assert {agent.model for agent in plan.agents} == {"theirs"}


@pytest.mark.parametrize(
    "users",
    [{}, {"model_profiles": {"default": PAID}}, {"model_profiles": {"default": {"auth_method": "api-key"}}}],
    ids=["stored key", "paid default", "a key by name"],
)
async def test_the_demo_never_makes_a_metered_call(
    clone: Workspace, sandbox: Sandbox, users: dict[str, object]
) -> None:
    without_local_server(clone, sandbox, **users)
    open_credentials(clone.app()).store_api_key("anthropic-api", KEY)
    clone.write(CONFIG, {"model_profiles": {"default": {"auth_method": "api-key"}}})
    seen = Seen()

    result = await run_demo(clone.app(), RunListener(seen.events.append, planned=seen.plans.append))

    assert result.sandbox
    assert sandbox.request_count == 0


async def test_the_demo_takes_a_plan_before_it_takes_canned_answers(
    clone: Workspace, sandbox: Sandbox, claude: StandIn
) -> None:
    without_local_server(clone, sandbox)
    clone.environ |= {"PATH": claude.path}
    open_credentials(clone.app()).store_api_key("anthropic-api", KEY)

    result = await run_demo(clone.app(), RunListener(Seen().events.append))

    assert result.by_billing.keys() == {"subscription"}
    assert sandbox.request_count == 0


async def test_the_demo_takes_what_is_free_in_the_place_of_a_paid_default(clone: Workspace) -> None:
    clone.settings({**on_sandbox_again(clone), "model_profiles": {"default": PAID}})

    result = await run_demo(clone.app(), RunListener(Seen().events.append))

    assert result.by_billing.keys() == {"local"}
    assert not result.sandbox


async def test_the_demo_pays_where_its_user_says_so(clone: Workspace, sandbox: Sandbox) -> None:
    without_local_server(clone, sandbox)

    result = await run_demo(clone.app(), RunListener(Seen().events.append), allow_metered=True)

    assert result.by_billing.keys() == {"metered"}


async def test_a_limit_that_does_not_count_keeps_nobody_from_a_provider(clone: Workspace) -> None:
    clone.write(CONFIG, {"providers": {"openai-compatible": {"max_concurrent": None}}})
    clone.cloned("one", local("a"))

    result, seen = await run(clone.app(), "one")

    assert result.status == "completed"
    assert any("`providers.openai-compatible.max_concurrent`" in notice for notice in seen.plans[0].notices)


async def test_what_does_not_count_is_said_by_run_check_and_explain(clone: Workspace) -> None:
    clone.write(CONFIG, {"runs": {"record": False, "keep_days": 1}})
    file = clone.cloned("one", local("a", options={"top_p": 0.5}, conversation=True), conversation="taxes")
    app = clone.app()

    result, seen = await run(app, "one")
    explained = await explain_access(app, find_ensemble(app, "one"))
    checked = await check_ensemble(app, "one")

    found = [one.says for one in await examine(app.environment, online=False) if one.grade == "warning"]

    assert any(f"`agents.a.conversation`, `agents.a.options` in {file} has no effect" in line for line in found)
    assert any("`runs.keep_days` in" in line for line in found)
    assert result.recorded
    [said] = seen.plans[0].notices
    for key in ("runs.record", "runs.keep_days", "conversation", "agents.a.options", "agents.a.conversation"):
        assert f"`{key}` (" in said
    assert str(file) in said
    assert said.endswith("See `llm-orc trust`.")
    assert explained.notices == (said,)
    assert checked.plan is not None
    assert checked.plan.notices == (said,)
    assert not app.paths.conversations_database.exists()


async def test_an_untrusted_ensemble_only_shortens_answers(clone: Workspace) -> None:
    clone.settings(
        on_sandbox_again(clone)
        | {"model_profiles": {"free": {"provider": "openai-compatible", "model": "m", "max_tokens": 100}}}
    )
    clone.cloned(
        "one",
        {"name": "more", "model_profile": "free", "max_tokens": 101},
        {"name": "less", "model_profile": "free", "max_tokens": 99},
        {"name": "much", "max_tokens": 99_999},
        {"name": "little", "max_tokens": 50},
        local("own", max_tokens=99_999),
    )
    app = clone.app()
    from llm_orc.app.access.choices import choices_of

    chosen = {name: of[0].max_tokens for name, of in choices_of(find_ensemble(app, "one"), app.settings).items()}

    assert chosen == {"more": 100, "less": 99, "much": None, "little": 50, "own": 99_999}


async def test_tools_are_refused_whether_or_not_a_clone_is_trusted(clone: Workspace) -> None:
    clone.cloned("one", local("a", options={"tools": []}))

    with pytest.raises(EnsembleInvalid, match="can't be used with your settings"):
        find_ensemble(clone.app(), "one")
