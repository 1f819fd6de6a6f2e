"""`options` of an ensemble, a clone or a profile: sampled with, allowed by the user, or refused before anything."""

from __future__ import annotations

import json

import pytest

from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.errors import EnsembleInvalid, LlmOrcError, SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run

TOOLS = [{"type": "mcp", "server_url": "https://evil.example/", "require_approval": "never"}]


async def refused(workspace: Workspace, sandbox: Sandbox, *, rehearse: bool = False) -> LlmOrcError:
    with pytest.raises(LlmOrcError) as caught:
        await run(workspace.app(), "one", rehearse=rehearse)
    assert sandbox.request_count == 0
    assert caught.value.exit_code == 3
    return caught.value


@pytest.mark.parametrize("rehearse", [False, True])
async def test_an_ensemble_gives_the_model_no_tools(
    workspace: Workspace, sandbox: Sandbox, *, rehearse: bool
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a", options={"top_k": 3, "tools": TOOLS}))

    error = await refused(workspace, sandbox, rehearse=rehearse)

    assert isinstance(error, EnsembleInvalid)
    [problem] = error.problems
    assert "agent `a`: `options.tools` is not a plain sampling option: it gives the model tools" in problem.message
    assert (problem.file, problem.line > 0) == (
        workspace.config / "ensembles" / "one.yaml",
        True,
    )
    assert "providers.openai-compatible.extra_options: [tools]" in (problem.hint or "")


async def test_check_names_the_place(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a", options={"n": 50}))

    report = await check_ensemble(workspace.app(), "one")

    assert [problem.message for problem in report.problems] == [
        "agent `a`: `options.n` must be 1: every answer is billed, and one is read"
    ]


async def test_the_users_own_settings_allow_it_and_it_is_named(workspace: Workspace, sandbox: Sandbox) -> None:
    settings = on_sandbox(sandbox)
    settings["providers"]["openai-compatible"]["extra_options"] = ["tools"]  # type: ignore[index]
    workspace.settings(settings)
    workspace.ensemble("one", local("a", options={"tools": TOOLS}))

    result, seen = await run(workspace.app(), "one")

    assert result.status == "completed"
    assert any("`tools` (gives the model tools)" in notice for notice in seen.plans[0].notices)


async def test_tools_of_options_and_of_the_agent_exclude_each_other(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    settings = on_sandbox(sandbox)
    settings["providers"]["openai-compatible"]["extra_options"] = ["tools"]  # type: ignore[index]
    workspace.settings(settings)
    workspace.ensemble("one", local("a", options={"tools": TOOLS}, tools=["files.read"]))

    report = await check_ensemble(workspace.app(), "one")

    said = "agent `a`: `options.tools` can't be set beside the agent's own `tools`"
    assert [problem.message for problem in report.problems] == [said]


async def test_a_profile_of_the_user_is_the_users_own_word(workspace: Workspace, sandbox: Sandbox) -> None:
    profile = {"provider": "openai-compatible", "model": "m", "options": {"service_tier": "flex"}}
    workspace.settings(on_sandbox(sandbox, model_profiles={"mine": profile}))
    workspace.ensemble("one", {"name": "a", "model_profile": "mine"})

    result, seen = await run(workspace.app(), "one")

    assert result.status == "completed"
    assert any("service_tier" in notice for notice in seen.plans[0].notices)


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_project_says_neither_tools_nor_that_they_are_allowed(
    workspace: Workspace, sandbox: Sandbox, *, trusted: bool
) -> None:
    workspace.settings(
        on_sandbox(sandbox, model_profiles={"mine": {"provider": "openai-compatible", "model": "m"}})
    )
    workspace.write(
        "work/project/.llm-orc/config.yaml",
        {
            "model_profiles": {"mine": {"options": {"service_tier": "priority"}}},
            "providers": {"openai-compatible": {"extra_options": ["service_tier", "tools"]}},
        },
    )
    workspace.ensemble("one", {"name": "a", "model_profile": "mine", "options": {"tools": TOOLS}})
    app = workspace.app()
    if trusted:
        trust_directory(app, workspace.project, view_trust(app, workspace.project))

    error = await refused(workspace, sandbox)

    assert isinstance(error, EnsembleInvalid | SettingsError)
    assert "tools" in " ".join(map(str, getattr(error, "problems", ()))) + error.message
    assert any(
        "extra_options` only has an effect in your own config.yaml" in n.message
        for n in workspace.app().settings.notices
    )


async def test_a_provider_that_is_found_is_looked_at_when_it_is(workspace: Workspace, sandbox: Sandbox) -> None:
    settings = on_sandbox(sandbox)
    workspace.settings(settings)
    workspace.ensemble("one", {"name": "a", "options": {"generationConfig": {"topK": 3}}})

    error = await refused(workspace, sandbox)

    assert "`options.generationConfig` is not a plain sampling option" in error.message


async def test_a_limit_in_options_is_the_agents_limit(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a", options={"max_completion_tokens": 7, "temperature": 0.5}))

    await run(workspace.app(), "one")

    body = json.loads(sandbox.requests[-1].body)
    assert body["max_completion_tokens"] == 7
    assert "max_tokens" not in body
