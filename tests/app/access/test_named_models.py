"""Who pays for models that are named for a run: their user's own word is consent, an untrusted file's is not."""

from __future__ import annotations

import pytest

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.named_models import NONE_NAMED, NamedModels
from llm_orc.app import api
from llm_orc.app.access.consent import Consent
from llm_orc.app.access.explain import explain_access
from llm_orc.app.access.models import AgentAccess
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.history.runs import get_run
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.wiring import App
from llm_orc.auth.access import Billing
from llm_orc.errors import InputError, MeteredNotAllowed
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run

CONFIG = "work/project/.llm-orc/config.yaml"
PAID = {"provider": "openai", "model": "gpt-5-mini"}
MINE = {"provider": "openai", "model": "gpt-5-nano"}


@pytest.fixture
def clone(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    """A project that nobody trusts, with a profile that costs; its user has one too, and a free model."""
    workspace.environ = {"OPENAI_API_KEY": KEY, "PATH": "/nowhere"}
    workspace.settings(on_sandbox(sandbox, model_profiles={"mine": MINE}))
    workspace.write(CONFIG, {"model_profiles": {"theirs": PAID}, "runs": {"model": "openai"}})
    workspace.cloned("one", local("a", fallback_model_profile="theirs"))
    workspace.ensemble("own", local("a"), local("b", depends_on=["a"]))
    return workspace


def said(model: str | None = None, **agents: str) -> NamedModels:
    return NamedModels(
        None if model is None else NamedModel(model, "--model"),
        agents={name: NamedModel(text, "--agent-model") for name, text in agents.items()},
    )


async def first(app: App, models: NamedModels = NONE_NAMED, ensemble: str = "own") -> AgentAccess:
    return (await explain_access(app, find_ensemble(app, ensemble), models=models)).agents[0]


@pytest.mark.parametrize("named", [said("openai"), said("openai/gpt-5"), said("mine"), said(a="openai")])
@pytest.mark.parametrize("ensemble", ["own", "one"], ids=["own ensemble", "ensemble of the clone"])
async def test_a_provider_that_is_named_on_the_command_line_is_its_users_choice(
    clone: Workspace, named: NamedModels, ensemble: str
) -> None:
    access = await first(clone.app(), named, ensemble)

    assert access.access.billing is Billing.METERED
    assert access.fallbacks == ()


@pytest.mark.parametrize("variable", [{"LLM_ORC_MODEL": "openai"}, {"LLM_ORC_PROFILE": "mine"}])
async def test_so_is_one_that_a_variable_names(clone: Workspace, variable: dict[str, str]) -> None:
    clone.environ |= variable

    access = await first(clone.app(), ensemble="one")

    assert access.access.billing is Billing.METERED
    [(name, text)] = variable.items()
    assert access.instead == NamedModel(text, name, is_standing=True)


@pytest.mark.parametrize("named", [said("theirs"), said(a="theirs")])
@pytest.mark.parametrize("ensemble", ["own", "one"])
async def test_a_profile_of_an_untrusted_project_costs_nothing_without_a_yes(
    clone: Workspace, named: NamedModels, ensemble: str
) -> None:
    app = clone.app()
    with pytest.raises(MeteredNotAllowed) as refused:
        await first(app, named, ensemble)
    assert (refused.value.named_in or "").startswith(str(clone.root / CONFIG))

    trust_directory(app, clone.project, view_trust(app, clone.project))
    assert (await first(clone.app(), named, ensemble)).access.billing is Billing.METERED


async def test_nor_does_one_that_a_variable_names(clone: Workspace) -> None:
    clone.environ["LLM_ORC_PROFILE"] = "theirs"

    with pytest.raises(MeteredNotAllowed):
        await first(clone.app())


async def test_no_project_names_the_model_of_every_agent(clone: Workspace) -> None:
    app = clone.app()
    trust_directory(app, clone.project, view_trust(app, clone.project))

    app = clone.app()
    access = await first(app)

    assert (access.access.billing, access.instead) == (Billing.LOCAL, None)
    assert any(
        "`runs.model` only has an effect in your own config.yaml" in n.message for n in app.settings.notices
    )


async def test_the_users_own_file_may_and_it_is_said_before_each_run(clone: Workspace, sandbox: Sandbox) -> None:
    clone.settings(on_sandbox(sandbox, runs={"model": "openai/gpt-5"}))

    app = clone.app()
    plan = await explain_access(app, find_ensemble(app, "own"))

    assert {agent.model for agent in plan.agents} == {"gpt-5"}
    assert any("names `openai/gpt-5` in place of the ensemble's models" in notice for notice in plan.notices)


async def test_resume_keeps_the_model_that_was_named(clone: Workspace) -> None:
    async with Sandbox(faults=[Fault(Status(400), model="other", times=1)]) as failing:
        clone.settings(on_sandbox(failing))
        failed, _ = await run(clone.app(), "own", models=said(b="openai-compatible/other"))
        clone.environ["LLM_ORC_MODEL"] = "openai/gpt-5"  # for new runs, and not for one that has begun
        resumed = await resume_run(clone.app(), ResumeOptions(failed.run_id))

    assert failed.status == "completed_with_errors"
    assert resumed.status == "completed"
    assert {agent.name: agent.model for agent in resumed.agents} == {"a": "m", "b": "other"}
    assert resumed.named_models == {"b": NamedModel("openai-compatible/other", "--agent-model")}
    record = get_run(clone.app(), failed.run_id)
    assert record.result.named_models == resumed.named_models
    assert record.recipe.choices["b"][0].model == "other"


class TestANewRunFromAnOldOne:
    async def test_only_the_agents_that_are_asked_have_the_other_model(self, clone: Workspace) -> None:
        await run(clone.app(), "own")
        app = clone.app()

        options = ForkOptions(("b",), models=said("openai-compatible/other"))
        forked = await fork_run(app, origin_of(app, "last"), options)

        assert {agent.name: agent.model for agent in forked.agents} == {"a": "m", "b": "other"}
        assert list(forked.named_models) == ["b"]

    async def test_what_was_agreed_to_for_the_old_models_is_not_for_others(self, clone: Workspace) -> None:
        await run(clone.app(), "own", allow_metered=True)
        app = clone.app()
        options = ForkOptions(everything=True, models=said("theirs"))

        with pytest.raises(MeteredNotAllowed):
            await fork_run(app, origin_of(app, "last"), options)
        allowed = ForkOptions(everything=True, models=said("theirs"), consent=Consent(allow_metered=True))
        assert (await fork_run(app, origin_of(app, "last"), allowed)).status == "completed"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (ForkOptions(("b",), models=said(a="mine")), "agent `a` keeps its answer"),
            (ForkOptions(models=said("mine")), "every agent keeps its answer"),
            (ForkOptions(("b",), models=said(c="mine")), "`own` has no agent `c`"),
        ],
    )
    async def test_a_model_for_nobody_is_an_error_before_anything_is_sent(
        self, clone: Workspace, sandbox: Sandbox, options: ForkOptions, message: str
    ) -> None:
        await run(clone.app(), "own")
        app, before = clone.app(), sandbox.request_count

        with pytest.raises(InputError, match=message):
            await fork_run(app, origin_of(app, "last"), options)

        assert sandbox.request_count == before


async def test_the_library_names_models_too(clone: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"HOME": str(clone.root), **clone.environ}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(clone.project)

    result = await api.run("own", "x", model="openai-compatible/one", agent_models={"b": "openai-compatible/two"})

    assert {agent.name: agent.model for agent in result.agents} == {"a": "one", "b": "two"}
