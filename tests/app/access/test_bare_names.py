"""A model that is named without its provider: where it is found, and that nothing is billed without a yes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.named_models import NamedModels
from llm_orc.app.access.explain import explain_access
from llm_orc.app.access.models import AgentAccess
from llm_orc.app.history.runs import get_run
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.auth.access import Billing
from llm_orc.errors import LlmOrcError, MeteredNotAllowed, SettingsError
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run
from tests.examples import many

OPENAI, ANTHROPIC, CEREBRAS = ({name: KEY} for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CEREBRAS_API_KEY"))
SERVER = {"default": {"provider": "openai-compatible", "model": "m"}}
NAMED = {"mine": {"provider": "openai", "model": "gpt-5-nano"}}


@pytest.fixture
def home(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    workspace.environ = {"PATH": "/nowhere"}
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))
    return workspace


def without_servers(sandbox: Sandbox, **more: object) -> dict[str, object]:
    """Settings without any server of this machine."""
    content = on_sandbox(sandbox, **more)
    assert isinstance(content["providers"], dict)
    del content["providers"]["openai-compatible"]
    return content


def bare(text: str) -> NamedModels:
    return NamedModels(NamedModel(text, "--model"))


async def used(workspace: Workspace, text: str, *, allow_metered: bool = False) -> AgentAccess:
    app = workspace.app()
    plan = await explain_access(app, find_ensemble(app, "one"), allow_metered=allow_metered, models=bare(text))
    return plan.agents[0]


@pytest.mark.parametrize(
    ("environ", "profiles", "name", "provider"),
    [
        (OPENAI, NAMED, "gpt-5-mini", "openai"),  # in the price table, and the user's profile names the provider
        (OPENAI, NAMED, "gpt-5-nano", "openai"),
        (OPENAI, NAMED | SERVER, "gpt-5-mini", "openai"),
        (OPENAI | ANTHROPIC, NAMED, "gpt-5-mini", "openai"),
        ({}, SERVER, "gpt-5-mini", "openai-compatible"),  # known of `openai`, to which there is no access
        ({}, SERVER, "large", "openai-compatible"),
        ({}, SERVER, "meta-llama/Llama-3", "openai-compatible"),
        ({}, SERVER, "llama3.2:3b", "openai-compatible"),
        (OPENAI, SERVER, "large", "openai-compatible"),
        ({}, {"other": {"provider": "openai-compatible", "model": "big"}}, "big", "openai-compatible"),
    ],
)
async def test_it_is_found_at_the_only_provider_that_has_it_else_at_the_server_of_the_default(
    home: Workspace,
    sandbox: Sandbox,
    environ: dict[str, str],
    profiles: dict[str, object],
    name: str,
    provider: str,
) -> None:
    home.environ |= environ
    home.settings(on_sandbox(sandbox, model_profiles=profiles))

    found = await used(home, name)

    assert (found.access.provider, found.model) == (provider, name)


async def test_a_server_of_this_machine_that_nothing_names_may_have_it(home: Workspace, sandbox: Sandbox) -> None:
    content = on_sandbox(sandbox)
    home.settings(content | {"providers": {"ollama": {"base_url": sandbox.base_url("openai-chat")}}})

    found = await used(home, "llama3.2")

    assert (found.access.provider, found.model, found.access.billing) == ("ollama", "llama3.2", Billing.LOCAL)


async def test_a_profile_of_the_model_has_its_address(home: Workspace, sandbox: Sandbox) -> None:
    profile = {"provider": "openai-compatible", "model": "big", "base_url": f"{sandbox.origin}/v1"}
    home.settings({"model_profiles": {"box": profile}})

    assert (await used(home, "big")).access.endpoint == sandbox.origin


async def test_several_providers_are_an_error_with_each_as_it_can_be_typed(home: Workspace) -> None:
    home.environ |= OPENAI | CEREBRAS

    with pytest.raises(SettingsError) as refused:
        await used(home, "gpt-oss-120b")

    assert "`gpt-oss-120b` is a model of several providers that you have access to" in refused.value.message
    assert refused.value.hint == "Choose one: `-m openai/gpt-oss-120b`, `-m cerebras/gpt-oss-120b`."


@pytest.mark.parametrize(
    ("profiles", "name", "hint"),
    [
        ({}, "gtp-5.5", "`-m openai/gpt-5.5`"),
        (NAMED, "gpt-5-nanno", "`-m openai/gpt-5-nano`"),
        ({"default": {"provider": "openai"}}, "brand-new", "`-m openai/brand-new`"),
        ({}, "nothing-like-it", "`-m PROVIDER/nothing-like-it`"),
    ],
)
async def test_one_that_nobody_is_known_to_have_is_an_error_with_the_nearest(
    home: Workspace, sandbox: Sandbox, profiles: dict[str, object], name: str, hint: str
) -> None:
    home.environ |= OPENAI
    home.settings(without_servers(sandbox, model_profiles=profiles))

    with pytest.raises(SettingsError) as refused:
        await used(home, name)

    assert f"`{name}`" in refused.value.message
    assert hint in (refused.value.hint or "")


async def test_without_access_where_it_is_known_the_error_says_how_to_get_some(
    home: Workspace, sandbox: Sandbox
) -> None:
    home.settings(without_servers(sandbox))

    with pytest.raises(SettingsError, match=r"is a model of `openai`.*no access") as refused:
        await used(home, "gpt-5-mini")

    assert "llm-orc auth add openai" in (refused.value.hint or "")


async def test_a_provider_that_is_only_found_bills_nothing_without_a_yes(home: Workspace) -> None:
    home.environ |= OPENAI

    with pytest.raises(MeteredNotAllowed, match="would be `openai`, billed per token") as refused:
        await used(home, "gpt-5-mini")

    assert "`-m openai/gpt-5-mini`" in (refused.value.hint or "")
    assert (await used(home, "gpt-5-mini", allow_metered=True)).access.billing is Billing.METERED
    assert (await used(home, "openai/gpt-5-mini")).access.billing is Billing.METERED


async def test_no_file_of_an_untrusted_project_says_where_a_model_is(home: Workspace) -> None:
    home.environ |= OPENAI
    theirs = {"theirs": {"provider": "openai", "model": "large"}, "default": {"provider": "openai-compatible"}}
    home.write("work/project/.llm-orc/config.yaml", {"model_profiles": theirs})

    with pytest.raises(SettingsError, match="`large`"):
        await used(home, "large")


async def test_the_record_has_the_provider_that_was_found_and_resuming_keeps_it(home: Workspace) -> None:
    home.ensemble("two", local("a"), local("b", depends_on=["a"]))
    async with Sandbox(faults=[Fault(Status(400), contains="You are b.", times=1)]) as failing:
        home.settings(on_sandbox(failing, model_profiles=SERVER))
        failed, _ = await run(home.app(), "two", models=bare("large"))
        home.settings(on_sandbox(failing))
        resumed = await resume_run(home.app(), ResumeOptions(failed.run_id))

    assert (failed.status, resumed.status) == ("completed_with_errors", "completed")
    choice = get_run(home.app(), failed.run_id).recipe.choices["b"][0]
    assert (choice.provider, choice.model) == ("openai-compatible", "large")
    assert resumed.named_models["b"] == NamedModel("large", "--model")


_VARIABLES = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY", "OPENROUTER_API_KEY"]
_NAMES = ["gpt-5.5", "gpt-oss-120b", "claude-sonnet-4-5", "gemini-2.5-flash", "large", "x/y"]
_PROVIDERS = [None, "openai-compatible", "ollama", "openai", "anthropic-api"]


@settings(max_examples=many(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.sampled_from(_VARIABLES)),
    st.sampled_from(_NAMES),
    st.sampled_from(_PROVIDERS),
    st.sampled_from(_PROVIDERS),
    st.booleans(),
)
async def test_whatever_there_is_only_what_the_user_names_is_billed_unasked(
    home: Workspace,
    sandbox: Sandbox,
    variables: set[str],
    name: str,
    default: str | None,
    theirs: str | None,
    is_project_there: bool,
) -> None:
    home.environ = {"PATH": "/nowhere", **dict.fromkeys(variables, KEY)}
    home.settings(
        on_sandbox(sandbox, model_profiles={} if default is None else {"default": {"provider": default}})
    )
    profile = {"theirs": {"provider": theirs or "openai", "model": name}} if is_project_there else {}
    home.write("work/project/.llm-orc/config.yaml", {"model_profiles": profile})

    try:
        found = await used(home, name)
    except LlmOrcError:
        return

    assert found.model == name
    assert not found.access.billing.may_cost or found.access.provider == default
