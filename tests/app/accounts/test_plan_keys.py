"""Keys that a plan gives its subscriber: who pays, what its provider asks to be known, and how many calls at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.prefer import prefer
from llm_orc.app.accounts.sign_in import add_api_key
from llm_orc.app.accounts.status import auth_status
from llm_orc.app.accounts.verify import try_access
from llm_orc.auth.access import Billing
from llm_orc.auth.secret import Secret
from llm_orc.catalog.plan_keys import PLAN_KEY_ROWS
from llm_orc.catalog.table import PROVIDERS
from llm_orc.errors import InputError, KeyMalformed, NotInteractive, NotLoggedIn
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace

KEY = "canary-of-a-plan-5512"
PLANS = [row.name for row in PLAN_KEY_ROWS]
WITH_NOTICE = [row.name for row in PLAN_KEY_ROWS if row.key_notice is not None]


@pytest.mark.parametrize("name", PLANS)
def test_no_plan_is_called_metered_or_priced(name: str) -> None:
    row = PROVIDERS[name]

    assert row.billing in {Billing.SUBSCRIPTION, Billing.PLAN_CREDITS}
    assert row.price_id == ""


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_reads_no_variable_of_a_metered_provider_at_the_same_address(name: str) -> None:
    row = PROVIDERS[name]
    metered = {
        variable
        for other in PROVIDERS.values()
        if other.billing is Billing.METERED and other.base_url == row.base_url
        for variable in other.api_key_env
    }

    assert metered.isdisjoint(row.api_key_env)


@pytest.mark.parametrize("name", PLANS)
async def test_its_key_is_added_and_the_plan_pays(workspace: Workspace, sandbox: Sandbox, name: str) -> None:
    row = PROVIDERS[name]
    workspace.environ = {"PATH": "/nowhere"}
    workspace.settings({"providers": {name: {"base_url": sandbox.base_url(row.dialect)}}})
    app = workspace.app()

    entry = add_api_key(app, open_provider(app, name), Secret(KEY), acknowledge_terms=True)
    [shown] = auth_status(app, name).credentials

    assert (entry.billing, shown.billing) == (row.billing, row.billing)
    assert (shown.terms_acknowledged_at is not None) == (row.key_notice is not None)


async def test_a_call_with_the_key_of_a_flat_plan_is_covered_by_it(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.environ = {"KIMI_API_KEY": KEY, "PATH": "/nowhere"}
    workspace.settings({"providers": {"kimi-code": {"base_url": sandbox.base_url("openai-chat")}}})

    proof = await try_access(workspace.app(), "kimi-code")

    assert (proof.access.billing, proof.model) == (Billing.SUBSCRIPTION, "kimi-for-coding")
    assert sandbox.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", WITH_NOTICE)
def test_what_its_provider_asks_to_be_known_is_agreed_to_before_a_key_is_stored(
    workspace: Workspace, name: str
) -> None:
    notice = PROVIDERS[name].key_notice
    app = workspace.app()
    assert notice is not None

    with pytest.raises(InputError) as refused:
        add_api_key(app, open_provider(app, name), Secret(KEY))

    assert all(part in refused.value.message for part in (notice.text, notice.link, notice.date))
    assert open_credentials(app).entries() == ()


def test_a_yes_given_with_the_key_counts_when_the_method_is_preferred(workspace: Workspace) -> None:
    app = workspace.app()
    provider = open_provider(app, "mistral-vibe")

    with pytest.raises(InputError, match="explicit yes"):
        prefer(app, provider, ("api-key",))
    add_api_key(app, provider, Secret(KEY), acknowledge_terms=True)

    assert prefer(app, provider, ("api-key",)).methods[0].name == "api-key"


def test_kimi_s_limit_of_calls_at_once_is_a_preset_that_settings_change(workspace: Workspace) -> None:
    before = workspace.app().settings.providers["kimi-code"].limits
    workspace.settings({"providers": {"kimi-code": {"max_concurrent": 4}}})
    after = workspace.app().settings.providers["kimi-code"].limits

    assert before is not None
    assert after is not None
    assert (before.concurrent, after.concurrent) == (30, 4)


async def test_a_plan_without_a_variable_says_which_setting_would_name_one(workspace: Workspace) -> None:
    workspace.environ = {"PATH": "/nowhere"}

    with pytest.raises(NotLoggedIn) as missing:
        await try_access(workspace.app(), "mistral-vibe")

    assert "providers.mistral-vibe.api_key_env" in (missing.value.hint or "")


async def test_a_plan_for_interactive_tools_is_called_for_a_person_only(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    name = "alibaba-coding-plan"
    own = {"base_url": sandbox.base_url("openai-chat"), "default_model": "m"}
    workspace.environ = {"PATH": "/nowhere"}
    workspace.settings({"providers": {name: own}})
    app = workspace.app()
    add_api_key(app, open_provider(app, name), Secret(KEY), acknowledge_terms=True)

    with pytest.raises(NotInteractive, match="other-tools-coding-plan, as of 2026-03-28"):
        await try_access(replace(app, environment=replace(app.environment, is_attended=False)), name)
    refused = sandbox.request_count
    proof = await try_access(replace(app, environment=replace(app.environment, is_attended=True)), name)

    assert (refused, proof.access.billing) == (0, Billing.SUBSCRIPTION)


def test_a_key_of_a_plan_is_not_sent_to_a_metered_provider(workspace: Workspace) -> None:
    app = workspace.app()

    with pytest.raises(KeyMalformed, match="Alibaba Cloud's Coding Plan") as refused:
        add_api_key(app, open_provider(app, "openai"), Secret("sk-sp-canary5512"))

    assert "llm-orc auth add alibaba-coding-plan" in (refused.value.hint or "")
