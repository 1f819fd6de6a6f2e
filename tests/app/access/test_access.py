"""Who is asked, with what, and who pays: decided before anything is sent, and never in silence."""

from __future__ import annotations

import sqlite3

import pytest

from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.diagnostics.doctor import examine
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.auth.access import Billing
from llm_orc.errors import (
    AccessNotSupported,
    EnsembleInvalid,
    LlmOrcError,
    MeteredNotAllowed,
    NotLoggedIn,
    NotTrusted,
    SettingsError,
)
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run

NOBODY = {"name": "a"}  # an agent that names no model


async def refused(workspace: Workspace, sandbox: Sandbox, name: str = "one") -> LlmOrcError:
    """Run, expect a refusal before anything was sent, and return it."""
    with pytest.raises(LlmOrcError) as caught:
        await run(workspace.app(), name)
    assert sandbox.request_count == 0
    assert KEY not in str(caught.value) + str(caught.value.hint)
    return caught.value


async def test_with_nothing_at_all_the_error_names_setup_and_rehearsal(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings({"providers": {"ollama": {"base_url": "http://127.0.0.1:9/v1"}}})
    workspace.ensemble("one", NOBODY)

    error = await refused(workspace, sandbox)

    assert isinstance(error, NotLoggedIn)
    assert error.exit_code == 4
    assert "llm-orc setup" in str(error.hint)
    assert "--rehearse" in str(error.hint)


async def test_a_local_server_is_found_and_comes_before_a_key_that_costs_money(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", NOBODY)

    result, _ = await run(workspace.app(), "one")

    access = result["a"].access
    assert access is not None
    assert (access.provider, access.billing) == ("openai-compatible", Billing.LOCAL)
    assert all(KEY not in str(dict(r.headers)) for r in sandbox.requests)


async def test_a_key_in_the_environment_alone_is_never_used_without_a_yes(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    settings = on_sandbox(sandbox)
    del settings["providers"]["openai-compatible"]  # type: ignore[attr-defined]
    workspace.settings(settings)
    workspace.ensemble("one", NOBODY)

    error = await refused(workspace, sandbox)

    assert isinstance(error, MeteredNotAllowed)
    assert "environment variable ANTHROPIC_API_KEY" in error.message
    assert "--allow-metered" in str(error.hint)
    result, seen = await run(workspace.app(), "one", allow_metered=True)
    assert result["a"].status == "completed"
    assert seen.plans[0].agents[0].access.billing is Billing.METERED


async def test_an_agent_that_names_a_metered_provider_has_chosen_it(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api", "model": "claude-haiku-4-5"})

    result, _ = await run(workspace.app(), "one")

    assert [r.headers["x-api-key"] for r in sandbox.requests] == [KEY]
    assert result.by_billing.keys() == {"metered"}
    assert result["a"].cost_usd is not None
    assert result["a"].cost_usd > 0


@pytest.mark.parametrize("provider", ["anthropic-api", "openai", "google-gemini", "openrouter"])
async def test_a_provider_without_its_key_says_which_variable_and_where_to_get_one(
    workspace: Workspace, sandbox: Sandbox, provider: str
) -> None:
    workspace.ensemble("one", {"name": "a", "provider": provider})

    error = await refused(workspace, sandbox)

    assert isinstance(error, NotLoggedIn)
    assert provider in error.message
    assert "_API_KEY" in str(error.hint)
    assert "https://" in str(error.hint)


@pytest.mark.parametrize("provider", ["claude-cli", "codex-cli"])
async def test_an_official_cli_that_is_not_installed_says_how_to_get_it(
    workspace: Workspace, sandbox: Sandbox, provider: str
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.ensemble("one", {"name": "a", "model": provider})

    error = await refused(workspace, sandbox)

    assert isinstance(error, AccessNotSupported)
    assert "npm install" in (error.hint or "")
    assert error.exit_code == 4


async def test_a_subscription_without_its_program_is_not_replaced_by_a_key_that_is_there(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.ensemble("one", {"name": "a", "model": "anthropic-claude-pro-max"})

    error = await refused(workspace, sandbox)

    assert isinstance(error, AccessNotSupported)
    assert "`claude` is not installed" in error.message
    assert sandbox.request_count == 0


@pytest.mark.parametrize(
    ("variable", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1080"), ("SSL_CERT_FILE", "/nowhere/bundle.pem")]
)
async def test_a_way_out_that_can_not_be_used_is_refused_where_it_is_set(
    workspace: Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api"})

    error = await refused(workspace, sandbox)
    report = await check_ensemble(workspace.app(), "one")
    found = [f for f in await examine(workspace.app().environment, online=False) if f.area == "network"]

    assert isinstance(error, SettingsError)
    assert error.exit_code == 3
    assert variable in error.message
    assert report.access_error is not None
    assert variable in report.access_error.message
    assert [variable in f.says for f in found] == [True]


async def test_every_agent_that_cannot_be_reached_is_named(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.ensemble(
        "one",
        {"name": "a", "provider": "openai"},
        {"name": "b", "provider": "openai"},
        {"name": "c", "provider": "openrouter"},
    )

    error = await refused(workspace, sandbox)

    assert "agents `a`, `b`" in error.message
    assert "agent `c`" in error.message


async def test_what_an_ensemble_names_must_exist(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.ensemble(
        "one", {"name": "a", "model_profile": "defualt"}, {"name": "b", "provider": "opnai", "model": "m"}
    )

    error = await refused(workspace, sandbox)

    assert isinstance(error, EnsembleInvalid)
    assert len(error.problems) == 2
    assert all(p.line > 0 for p in error.problems)
    assert "default" in str(error.problems[0].hint)
    assert "openai" in str(error.problems[1].hint)


# --- a credential goes only where it belongs ---------------------------------------------------------------


async def test_a_profiles_own_endpoint_does_not_get_the_providers_key(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"OPENAI_API_KEY": KEY}
    profile = {"provider": "openai", "model": "m", "base_url": sandbox.base_url("openai-responses")}
    workspace.settings({"model_profiles": {"mine": profile}})
    workspace.ensemble("one", {"name": "a", "model_profile": "mine"})

    error = await refused(workspace, sandbox)

    assert isinstance(error, NotLoggedIn)
    assert "api_key_env" in str(error.hint)


async def test_a_profiles_own_endpoint_gets_the_key_that_the_profile_names(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"OPENAI_API_KEY": "another", "GATEWAY_KEY": KEY}
    profile = {
        "provider": "openai",
        "model": "m",
        "base_url": sandbox.base_url("openai-responses"),
        "api_key_env": "GATEWAY_KEY",
    }
    workspace.settings({"model_profiles": {"mine": profile}})
    workspace.ensemble("one", {"name": "a", "model_profile": "mine"})

    await run(workspace.app(), "one")

    assert [r.headers["Authorization"] for r in sandbox.requests] == [f"Bearer {KEY}"]


async def test_a_key_file_is_read_for_its_provider(workspace: Workspace, sandbox: Sandbox) -> None:
    file = workspace.write("keys/openai", f"{KEY}\n")
    file.chmod(0o600)
    settings = on_sandbox(sandbox)
    settings["providers"]["openai"]["api_key_file"] = "~/keys/openai"  # type: ignore[index]
    workspace.settings(settings)
    workspace.ensemble("one", {"name": "a", "provider": "openai", "model": "m"})

    result, _ = await run(workspace.app(), "one")

    assert [r.headers["Authorization"] for r in sandbox.requests] == [f"Bearer {KEY}"]
    assert result["a"].access is not None
    assert result["a"].access.source == f"key file {file}"


async def test_the_key_is_nowhere_in_the_record(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api", "model": "m"})
    app = workspace.app()

    result, seen = await run(app, "one", stream=True)

    assert KEY not in repr((result, seen, app))
    files = [p for p in workspace.root.rglob("*") if p.is_file()]
    assert any(p.name == "runs.sqlite" for p in files)
    assert all(KEY.encode() not in p.read_bytes() for p in files)


# --- a cloned repository is not trusted --------------------------------------------------------------------


async def test_an_endpoint_that_a_project_sets_waits_for_trust(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.write(
        "work/project/.llm-orc/config.yaml",
        {"providers": {"anthropic-api": {"base_url": sandbox.base_url("anthropic")}}},
    )
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api", "model": "m"})

    error = await refused(workspace, sandbox)

    assert isinstance(error, NotTrusted)
    assert "llm-orc trust" in str(error.hint)
    assert "config.yaml:3" in error.message


async def test_once_trusted_it_counts_until_it_changes(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    config = "work/project/.llm-orc/config.yaml"
    workspace.write(config, {"providers": {"anthropic-api": {"base_url": sandbox.base_url("anthropic")}}})
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api", "model": "m"})
    app = workspace.app()
    trust_directory(app, workspace.project, view_trust(app, workspace.project))

    result, _ = await run(workspace.app(), "one")
    workspace.write(config, {"providers": {"anthropic-api": {"base_url": "http://127.0.0.1:9"}}})
    with pytest.raises(NotTrusted):
        await run(workspace.app(), "one")

    assert result.status == "completed"


async def test_what_was_not_seen_is_not_trusted(workspace: Workspace) -> None:
    config = "work/project/.llm-orc/config.yaml"
    workspace.write(config, {"providers": {"openai": {"base_url": "http://127.0.0.1:1/v1"}}})
    app = workspace.app()
    seen = view_trust(app, workspace.project)
    workspace.write(config, {"providers": {"openai": {"base_url": "http://127.0.0.1:2/v1"}}})

    with pytest.raises(SettingsError, match="changed since they were shown"):
        trust_directory(app, workspace.project, seen)

    assert not view_trust(app, workspace.project).trusted


async def test_a_projects_profile_is_no_consent_to_a_bill(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.settings(on_sandbox(sandbox))
    workspace.write(
        "work/project/.llm-orc/config.yaml",
        {"model_profiles": {"default": {"provider": "anthropic-api", "model": "m"}}},
    )
    workspace.ensemble("one", NOBODY)

    error = await refused(workspace, sandbox)

    assert isinstance(error, MeteredNotAllowed)
    assert "not trusted" in error.message


async def test_a_fallback_that_would_cost_money_without_consent_is_left_out_and_said(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    workspace.settings(
        on_sandbox(
            sandbox,
            model_profiles={
                "free": {"provider": "openai-compatible", "model": "m"},
                "paid": {"provider": "anthropic-api", "model": "m"},
            },
        )
    )
    workspace.write(
        "work/project/.llm-orc/config.yaml",
        {
            "model_profiles": {
                "theirs": {"provider": "openai-compatible", "model": "m", "fallback_model_profile": "paid"}
            }
        },
    )
    workspace.ensemble("one", {"name": "a", "model_profile": "theirs"})

    _, seen = await run(workspace.app(), "one")

    assert seen.plans[0].agents[0].fallbacks == ()
    assert any("`paid` is left out" in notice for notice in seen.plans[0].notices)


# --- checking and rehearsing -------------------------------------------------------------------------------


async def test_check_shows_what_would_run_and_asks_no_model(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("panel", local("a"), local("b", depends_on=["a"]))

    report = await check_ensemble(workspace.app(), "panel")

    assert report.is_good
    assert report.order == (("a",), ("b",))
    assert report.plan is not None
    assert [a.model for a in report.plan.agents] == ["m", "m"]
    assert sandbox.request_count == 0


async def test_check_reports_everything_at_once(workspace: Workspace) -> None:
    workspace.write(
        "work/project/.llm-orc/ensembles/bad.yaml",
        "name: bad\nagents:\n  - name: a\n    depends_on: [b]\n  - name: a\n    rolle: x\n",
    )

    report = await check_ensemble(workspace.app(), "bad")

    assert not report.is_good
    assert [p.line for p in report.problems] == sorted(p.line for p in report.problems)
    assert len(report.problems) >= 3


async def test_a_rehearsal_needs_no_access_and_shows_every_prompt(workspace: Workspace) -> None:
    workspace.ensemble(
        "panel",
        {"name": "a", "provider": "anthropic-api", "system_prompt": "You are a lawyer."},
        {"name": "b", "model": "claude-cli", "depends_on": ["a"]},
    )
    app = workspace.app()

    result, seen = await run(app, "panel", "Invest?", rehearse=True)

    assert (result.status, result.sandbox) == ("completed", True)
    assert {str(a.access.method) for a in seen.plans[0].agents} == {"sandbox"}
    answers = str(result["a"].response)
    assert "You are a lawyer." in answers
    assert "Invest?" in answers
    assert "canned" in answers
    with sqlite3.connect(app.paths.runs_database) as connection:
        [(flag,)] = connection.execute("SELECT sandbox FROM runs").fetchall()
    connection.close()
    assert flag == 1
