"""A provider and an official CLI that a program adds from outside, by one row each: everything knows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.access.explain import explain_access
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.official_cli import look_at_clis
from llm_orc.app.accounts.sign_in import add_api_key
from llm_orc.app.accounts.status import auth_status
from llm_orc.app.accounts.verify import try_access
from llm_orc.app.diagnostics.doctor import examine
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.setup.inventory import inventory
from llm_orc.auth.access import Billing
from llm_orc.auth.secret import Secret
from llm_orc.catalog.rows import ProviderSpec
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS, added
from llm_orc.cli.root import root
from llm_orc.errors import AccessNotSupported, KeyMalformed, SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, run
from tests.catalog.made_up_cli import ROW as PARROT
from tests.catalog.made_up_cli import install

KEY = "acme-0123456789"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """One that the commands of this very process work in, too."""
    workspace = Workspace(tmp_path / "user", {"PATH": "/nowhere"})
    workspace.project.mkdir(parents=True)
    workspace.settings({"providers": {"ollama": {"base_url": "http://127.0.0.1:9/v1"}}})
    monkeypatch.setenv("HOME", str(workspace.root))
    monkeypatch.chdir(workspace.project)
    return workspace


@pytest.fixture
async def acme() -> AsyncIterator[Sandbox]:
    """The made-up provider's server; while it runs, the table has its row."""
    async with Sandbox() as sandbox:
        row = ProviderSpec(
            name="acme",
            title="ACME models",
            dialect="openai-chat",
            base_url=sandbox.base_url("openai-chat"),
            api_key_env=("ACME_KEY",),
            default_model="anvil-1",
            keys_at="https://acme.example/keys",
            key_owner="ACME",
            key_prefixes=("acme-",),
        )
        with added(row):
            yield sandbox


@pytest.fixture
def parrot(acme: Sandbox, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up official CLI, installed and logged in; its plan's metered sibling is `acme`."""
    workspace.environ |= {"PATH": install(tmp_path / "bin"), "PARROT_HOME": str(tmp_path)}
    for name, value in workspace.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def parrot_row(acme: Sandbox) -> Iterator[None]:
    with added(PARROT):
        yield


async def command(*arguments: str) -> Result:
    """Run a command in this process, where the added rows are; it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, root, arguments)


def completed(*arguments: str, incomplete: str) -> list[str]:
    completion = ShellComplete(root, {}, "llm-orc", "_LLM_ORC_COMPLETE")
    return [item.value for item in completion.get_completions([*arguments], incomplete)]


# --- the provider ------------------------------------------------------------------------------------------


async def test_a_key_in_its_variable_is_explained_and_sent_and_metered(
    workspace: Workspace, acme: Sandbox
) -> None:
    workspace.environ["ACME_KEY"] = KEY
    workspace.ensemble("one", {"name": "a", "model": "acme"})

    plan = await explain_access(workspace.app(), find_ensemble(workspace.app(), "one"))
    result, _ = await run(workspace.app(), "one")

    [agent] = plan.agents
    assert (agent.access.provider, agent.access.billing, agent.model) == ("acme", Billing.METERED, "anvil-1")
    assert result["a"].access == agent.access
    assert acme.requests[-1].headers["Authorization"] == f"Bearer {KEY}"


async def test_a_stored_key_is_listed_as_used(workspace: Workspace) -> None:
    app = workspace.app()
    add_api_key(app, open_provider(app, "acme"), Secret(KEY))

    [row] = auth_status(app, "acme", {}).credentials
    proven = await try_access(app, "acme")
    listed = await command("auth", "list", "--json")

    assert (row.place, row.is_used, row.billing) == ("store", True, Billing.METERED)
    assert proven.access.provider == "acme"
    assert '"acme"' in listed.stdout


async def test_its_keys_are_told_from_those_of_others(workspace: Workspace) -> None:
    with pytest.raises(KeyMalformed, match="ACME") as theirs:
        add_api_key(workspace.app(), open_provider(workspace.app(), "openai"), Secret(KEY))
    with pytest.raises(KeyMalformed, match="Anthropic"):
        add_api_key(workspace.app(), open_provider(workspace.app(), "acme"), Secret("sk-ant-api03-0123456789"))

    assert theirs.value.hint == "llm-orc auth add acme"
    assert not open_credentials(workspace.app()).providers


async def test_setup_offers_it(workspace: Workspace) -> None:
    workspace.environ["ACME_KEY"] = KEY

    seen = await inventory(workspace.app())
    said = (await command("setup")).output

    [found] = [one for one in seen.found if one.provider == "acme"]
    assert (found.spec.title, found.model, found.billing) == ("ACME models", "anvil-1", Billing.METERED)
    assert "acme: or export ACME_KEY=…  (keys: https://acme.example/keys)" in said


async def test_its_name_is_completed_and_suggested(workspace: Workspace) -> None:
    workspace.ensemble("wrong", {"name": "a", "provider": "acmee", "model": "m"})

    said = (await command("check", "wrong")).output

    assert completed("auth", "add", incomplete="ac") == ["acme"]
    assert "`acme`" in said


# --- the official CLI --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parrot")
async def test_the_program_answers_and_its_plan_pays(workspace: Workspace) -> None:
    workspace.environ["ACME_KEY"] = KEY
    workspace.ensemble("one", {"name": "a", "provider": "parrot-cli"})

    plan = await explain_access(workspace.app(), find_ensemble(workspace.app(), "one"))
    result, seen = await run(workspace.app(), "one", "hello")

    access = result["a"].access
    assert access == plan.agents[0].access
    assert access is not None
    assert (access.method, access.billing) == ("parrot-cli", Billing.SUBSCRIPTION)
    assert access.endpoint == "https://parrot.example"
    assert result["a"].response == "squawk: hello"  # and no key: the program did not see it
    assert any("ACME_KEY is not used for `parrot-cli`" in notice for notice in seen.plans[0].notices)


@pytest.mark.usefixtures("parrot")
async def test_the_program_is_shown_by_status_and_setup(workspace: Workspace) -> None:
    app = workspace.app()

    [row] = auth_status(app, "parrot-cli", await look_at_clis(app)).credentials
    seen = await inventory(app)

    assert (row.method, row.is_used, row.billing) == ("parrot-cli", True, Billing.SUBSCRIPTION)
    assert "parrot-cli" in [found.provider for found in seen.found]
    assert "`parrot` 3.1.4, Feather plan" in (await command("auth", "status")).output


@pytest.mark.usefixtures("parrot")
async def test_its_name_is_a_method_everywhere(workspace: Workspace) -> None:
    added_by_command = await command("auth", "add", "parrot-cli", "--method", "parrot-cli")

    written = workspace.app().settings.providers["parrot-cli"]
    assert added_by_command.exit_code == 0, added_by_command.output
    assert written.auth_methods == ("parrot-cli",)
    assert completed("auth", "add", "acme", "--method", incomplete="par") == ["parrot-cli"]
    assert completed("auth", "prefer", "acme", incomplete="par") == ["parrot-cli"]
    workspace.ensemble("one", {"name": "a", "provider": "parrot-cli", "auth_method": "parrot-cli"})
    plan = await explain_access(workspace.app(), find_ensemble(workspace.app(), "one"))
    assert plan.agents[0].access.method == "parrot-cli"


async def test_where_it_is_missing_its_row_says_how_to_get_it(workspace: Workspace) -> None:
    [program, key] = open_provider(workspace.app(), "parrot-cli").methods

    assert (program.name, program.is_ready, program.billing) == ("parrot-cli", False, Billing.SUBSCRIPTION)
    assert PARROT.install_hint in program.state
    assert (key.name, "llm-orc auth add acme" in key.state) == ("api-key", True)
    with pytest.raises(KeyMalformed, match="a sign-in of Parrot"):
        add_api_key(workspace.app(), open_provider(workspace.app(), "openai"), Secret("parrot-0123456789"))


@pytest.mark.usefixtures("parrot")
async def test_a_key_that_it_would_bill_is_warned_of(workspace: Workspace) -> None:
    without = await examine(workspace.app().environment, online=False)
    workspace.environ["ACME_KEY"] = KEY
    found = await examine(workspace.app().environment, online=False)

    assert not [one for one in without if "ACME_KEY" in one.says]
    assert [one.says[:50] for one in found if one.area == "billing" and one.grade == "warning"] == [
        "ACME_KEY is set: started by hand, `parrot` may bil"
    ]


async def test_a_sign_in_that_its_terms_forbid_names_the_supported_way(
    workspace: Workspace, acme: Sandbox
) -> None:
    plan = ProviderSpec(
        name="parrot-plan",
        title="A plan",
        dialect="openai-chat",
        base_url=acme.base_url("openai-chat"),
        billing=Billing.SUBSCRIPTION,
        cli="parrot-cli",
        oauth={
            "authorization_endpoint": f"{acme.origin}/oauth/authorize",
            "token_endpoint": f"{acme.origin}/oauth/token",
            "notice": {"text": "Not for others.", "link": "https://parrot.example/terms", "date": "2026-11-27"},
        },
    )

    with added(plan):
        done = await command("auth", "add", "parrot-plan", "--method", "oauth", "--acknowledge-terms")

    assert isinstance(done.exception, AccessNotSupported)
    assert (done.exception.hint or "").startswith(
        "The supported way is The Parrot's own command: llm-orc auth add parrot-plan --method parrot-cli."
    )


# --- the table ---------------------------------------------------------------------------------------------


async def test_rows_are_gone_with_their_context(workspace: Workspace, acme: Sandbox) -> None:
    before = dict(PROVIDERS), dict(OFFICIAL_CLIS)
    other = ProviderSpec(name="other", title="Other", dialect="gemini", base_url=acme.origin)
    program = replace(PARROT, name="other-cli")

    with added(other, program):
        assert {"other", "other-cli"} <= PROVIDERS.keys()
        assert OFFICIAL_CLIS["other-cli"] is program
    workspace.settings({"providers": {"parrot-cli": {"auth_method": "other-cli"}}})

    assert (dict(PROVIDERS), dict(OFFICIAL_CLIS)) == before
    with pytest.raises(SettingsError, match="`parrot-cli`"):
        workspace.app()


def test_a_name_that_is_taken_adds_nothing() -> None:
    before = dict(PROVIDERS)
    new = ProviderSpec(name="new", title="New", dialect="gemini", base_url="https://new.example")

    with pytest.raises(ValueError, match="`openai`"), added(new, PROVIDERS["openai"]):
        raise AssertionError("unreachable")

    assert dict(PROVIDERS) == before
