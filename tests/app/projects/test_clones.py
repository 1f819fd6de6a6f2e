"""What files of a clone say is nobody's agreement to pay: it is used where it is free or agreed to, else refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llm_orc.agents.named_models import named_model
from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.access.explain import explain_access
from llm_orc.app.conversations.targets import resolve_target, with_model
from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.diagnostics.doctor import examine
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.trust import distrust_directory, trust_directory, view_trust
from llm_orc.app.runs.demo import run_demo
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.auth.access import Billing
from llm_orc.errors import EnsembleInvalid, LlmOrcError, MeteredNotAllowed, NotTrusted, SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Seen, Workspace, local, on_sandbox, run
from tests.fakes.claude import StandIn, install

PLAN = "anthropic-claude-pro-max"
CONFIG = "work/project/.llm-orc/config.yaml"
PAID: dict[str, object] = {"provider": "anthropic-api", "model": "claude-haiku-4-5"}


@pytest.fixture
def claude(tmp_path: Path) -> StandIn:
    return install(tmp_path / "stand-in")


@pytest.fixture
def clone(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    """A machine with a local server, a key in the environment, and profiles of its user's: free, paid, and a plan."""
    profiles = {
        "free": {"provider": "openai-compatible", "model": "m"},
        "paid": PAID,
        "chain": {"provider": "openai-compatible", "model": "m", "fallback_model_profile": "paid"},
        "plan": {"provider": PLAN},
    }
    workspace.settings(on_sandbox(sandbox, model_profiles=profiles))
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    return workspace


def without_local_server(workspace: Workspace, sandbox: Sandbox, **more: object) -> None:
    settings = on_sandbox(sandbox, **more)
    del settings["providers"]["openai-compatible"]  # type: ignore[attr-defined]
    workspace.settings(settings)


def trust(workspace: Workspace, place: Path | None = None) -> None:
    app = workspace.app()
    trust_directory(app, place or workspace.project, view_trust(app, place or workspace.project))


async def refused(workspace: Workspace, sandbox: Sandbox, name: str = "one") -> LlmOrcError:
    """Run and explain, expect the same refusal of both before anything was sent, and return it."""
    before = sandbox.request_count
    with pytest.raises(LlmOrcError) as caught:
        await run(workspace.app(), name)
    with pytest.raises(type(caught.value)) as explained:
        await explain_access(workspace.app(), find_ensemble(workspace.app(), name))
    report = await check_ensemble(workspace.app(), name)
    assert explained.value.message == caught.value.message
    assert report.access_error is not None
    assert report.access_error.message == caught.value.message
    assert sandbox.request_count == before
    assert caught.value.exit_code == 4
    assert KEY not in str(caught.value) + str(caught.value.hint)
    return caught.value


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


def on_sandbox_again(workspace: Workspace) -> dict[str, dict[str, object]]:
    import yaml

    loaded: dict[str, dict[str, object]] = yaml.safe_load((workspace.config / "config.yaml").read_text())
    return loaded


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


# --- the settings of a clone ---------------------------------------------------------------------------------


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


# --- what trust is for ---------------------------------------------------------------------------------------


async def test_trust_shows_what_ensembles_and_settings_choose_and_not_their_words(clone: Workspace) -> None:
    clone.write(CONFIG, {"model_profiles": {"theirs": {**PAID, "system_prompt": "Obey."}}})
    clone.cloned("one", {"name": "a", "model_profile": "paid", "system_prompt": "Obey.", "options": {"top_p": 1}})
    clone.cloned("two", {"name": "a", "model_profile": "default", "system_prompt": "Obey."})
    (clone.project / ".llm-orc/ensembles/broken.yaml").write_text("agents: [")

    view = view_trust(clone.app(), clone.project)

    assert {(one.key, str(one.value)) for one in view.guarded} == {
        ("model_profiles.theirs.provider", "anthropic-api"),
        ("model_profiles.theirs.model", "claude-haiku-4-5"),
        ("agents.a.model_profile", "paid"),
        ("agents.a.options", "{'top_p': 1}"),
    }
    assert all(one.origin.line > 0 for one in view.guarded)


async def test_a_paid_agent_that_a_later_pull_adds_is_asked_for_again(clone: Workspace, sandbox: Sandbox) -> None:
    without_local_server(clone, sandbox)
    clone.cloned("one", {"name": "a", "provider": "anthropic-api", "model": "m"})
    clone.cloned("other", {"name": "a", "provider": "anthropic-api", "model": "m"})
    trust(clone)
    clone.cloned("one", {"name": "a", "provider": "anthropic-api", "model": "m", "system_prompt": "New words."})
    result, _ = await run(clone.app(), "one")
    assert result.status == "completed"
    clone.cloned("one", {"name": "a", "provider": "anthropic-api", "model": "dearer"})

    await refused(clone, sandbox)

    assert not view_trust(clone.app(), clone.project).trusted
    result, _ = await run(clone.app(), "other")
    assert result.status == "completed"
    clone.cloned("third", {"name": "a", "provider": "anthropic-api", "model": "m"})
    await refused(clone, sandbox, "third")


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_run_goes_on_as_it_began_and_its_file_has_not_changed(clone: Workspace, *, trusted: bool) -> None:
    clone.settings({**on_sandbox_again(clone), "runs": {"max_retries": 0}})
    clone.cloned("one", local("a", options={"top_p": 0.5}, model="m"))
    if trusted:
        trust(clone)
    app = clone.app()
    first, _ = await run(app, "one", max_calls=0)
    said: list[str] = []

    resumed = await resume_run(
        app, ResumeOptions(first.run_id, limits=RunLimits(max_calls=9)), RunListener(waiting=said.append)
    )

    assert (first.status, resumed.status, said) == ("failed", "completed", [])


async def test_trust_that_is_taken_back_counts_no_more(clone: Workspace, sandbox: Sandbox) -> None:
    clone.cloned("one", {"name": "a", **PAID})
    trust(clone)

    assert distrust_directory(clone.app(), clone.project)

    await refused(clone, sandbox)


async def test_trust_is_for_one_root_and_not_for_projects_inside_it(clone: Workspace, sandbox: Sandbox) -> None:
    clone.cloned("one", {"name": "a", **PAID})
    trust(clone)
    inner = clone.write(
        "work/project/vendored/.llm-orc/ensembles/one.yaml", {"name": "one", "agents": [{"name": "a", **PAID}]}
    )

    await refused(clone, sandbox, str(inner))


def as_path_in_the_project(workspace: Workspace) -> str:
    return str(workspace.write("work/project/panel.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]}))


def by_a_way_round(workspace: Workspace) -> str:
    as_path_in_the_project(workspace)
    (workspace.root / "own").mkdir()
    return str(workspace.root / "own" / ".." / "work" / "project" / "panel.yaml")


def by_a_link(workspace: Workspace) -> str:
    link = workspace.root / "mine.yaml"
    link.symlink_to(as_path_in_the_project(workspace))
    return str(link)


def in_a_checkout(workspace: Workspace) -> str:
    workspace.write("src/repository/.git/HEAD", "ref: refs/heads/main\n")
    return str(workspace.write("src/repository/a/b/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]}))


def in_a_submodule_of_the_users_folder(workspace: Workspace) -> str:
    workspace.write("src/module/.git", "gitdir: ../.git/modules/module\n")
    return str(workspace.write("src/module/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]}))


@pytest.mark.parametrize(
    "place",
    [
        as_path_in_the_project,
        by_a_way_round,
        by_a_link,
        in_a_checkout,
        in_a_submodule_of_the_users_folder,
    ],
)
async def test_a_file_in_a_project_or_a_checkout_is_not_the_users_by_being_typed(
    clone: Workspace, sandbox: Sandbox, place: Callable[[Workspace], str]
) -> None:
    (clone.project / ".llm-orc").mkdir()
    path = place(clone)

    error = await refused(clone, sandbox, path)

    assert "llm-orc trust /" in str(error.hint)
    trust(clone, Path(path))
    result, _ = await run(clone.app(), path)
    assert result.by_billing.keys() == {"metered"}


def beside_no_project(workspace: Workspace) -> Path:
    return workspace.write("notes/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]})


def in_a_home_that_is_a_repository(workspace: Workspace) -> Path:
    workspace.write(".git/HEAD", "ref: refs/heads/main\n")
    return beside_no_project(workspace)


def below_a_home_that_is_in_a_repository(workspace: Workspace) -> Path:
    (workspace.root.parent / ".git").mkdir()
    return beside_no_project(workspace)


def a_link_among_the_users_own(workspace: Workspace) -> Path:
    link = workspace.config / "ensembles" / "p.yaml"
    link.parent.mkdir(parents=True)
    link.symlink_to(in_a_checkout(workspace))
    return link


def among_the_users_own(workspace: Workspace) -> Path:
    workspace.write(".config/.git/HEAD", "ref: refs/heads/main\n")
    return workspace.write(".config/llm-orc/ensembles/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]})


@pytest.mark.parametrize(
    "place",
    [
        beside_no_project,
        in_a_home_that_is_a_repository,
        below_a_home_that_is_in_a_repository,
        a_link_among_the_users_own,
        among_the_users_own,
    ],
)
async def test_a_file_of_the_users_own_is_their_word(clone: Workspace, place: Callable[[Workspace], Path]) -> None:
    file = place(clone)

    result, _ = await run(clone.app(), str(file))

    assert result.by_billing.keys() == {"metered"}
    with pytest.raises(SettingsError, match="is in no project"):
        view_trust(clone.app(), file)


async def test_a_link_out_of_a_project_is_the_projects_word(clone: Workspace, sandbox: Sandbox) -> None:
    own = clone.write(".config/llm-orc/ensembles/own.yaml", {"name": "own", "agents": [{"name": "a", **PAID}]})
    link = clone.project / ".llm-orc" / "ensembles" / "own.yaml"
    link.parent.mkdir(parents=True)
    link.symlink_to(own)

    await refused(clone, sandbox, "own")


async def test_an_endpoint_of_a_clone_is_refused_with_the_exit_code_of_access(
    clone: Workspace, sandbox: Sandbox
) -> None:
    clone.write(CONFIG, {"model_profiles": {"theirs": {**PAID, "base_url": "http://127.0.0.1:9"}}})
    clone.cloned("one", {"name": "a", "model_profile": "theirs"})

    assert isinstance(await refused(clone, sandbox), NotTrusted)
