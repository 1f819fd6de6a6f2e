"""The presets of providers behind a key: where they are, what a call sends, and what happens where something is missing."""

from __future__ import annotations

import pytest
from genai_prices import data_snapshot

from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.sign_in import add_api_key
from llm_orc.app.accounts.status import auth_status
from llm_orc.app.accounts.verify import try_access
from llm_orc.auth.access import Billing
from llm_orc.auth.secret import Secret
from llm_orc.catalog.hosted import HOSTED_ROWS
from llm_orc.catalog.table import PROVIDERS
from llm_orc.errors import KeyMalformed, SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace

NAMES = [row.name for row in HOSTED_ROWS]
WITHOUT_ADDRESS = [row.name for row in HOSTED_ROWS if row.base_url is None]


def test_every_price_id_is_known_to_the_installed_price_table() -> None:
    known = {provider.id for provider in data_snapshot.get_snapshot().providers}

    assert {row.price_id for row in PROVIDERS.values() if row.price_id} <= known
    assert all(row.price_id for row in HOSTED_ROWS)


def test_no_two_providers_read_the_same_variable() -> None:
    variables = [name for row in PROVIDERS.values() for name in row.api_key_env]

    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("name", NAMES)
async def test_a_key_in_its_variable_is_sent_as_a_bearer_token(
    workspace: Workspace, sandbox: Sandbox, name: str
) -> None:
    row = PROVIDERS[name]
    workspace.environ = {row.api_key_env[0]: "canary-of-a-key-5512", "PATH": "/nowhere"}
    workspace.settings({"providers": {name: {"base_url": sandbox.base_url(row.dialect)}}})

    proof = await try_access(workspace.app(), name, "some-model")

    assert proof.access.billing is Billing.METERED
    assert sandbox.requests[-1].headers["authorization"] == "Bearer canary-of-a-key-5512"


@pytest.mark.parametrize("name", [row.name for row in HOSTED_ROWS if row.default_model is None])
async def test_where_no_name_of_a_model_lasts_the_error_says_where_to_name_one(
    workspace: Workspace, sandbox: Sandbox, name: str
) -> None:
    row = PROVIDERS[name]
    workspace.environ = {row.api_key_env[0]: "canary-of-a-key-5512", "PATH": "/nowhere"}
    workspace.settings({"providers": {name: {"base_url": sandbox.base_url(row.dialect)}}})

    with pytest.raises(SettingsError, match="needs a model name") as caught:
        await try_access(workspace.app(), name)

    assert f"providers.{name}.default_model" in (caught.value.hint or "")
    assert sandbox.requests == []


@pytest.mark.parametrize("name", WITHOUT_ADDRESS)
async def test_a_resource_of_one_s_own_is_asked_for_with_the_exact_setting(
    workspace: Workspace, name: str
) -> None:
    app = workspace.app()

    with pytest.raises(SettingsError, match="needs the address") as of_key:
        add_api_key(app, open_provider(app, name), Secret("canary-of-a-key-5512"))
    with pytest.raises(SettingsError, match="needs the address") as of_call:
        await try_access(app, name, "some-model")

    for caught in (of_key, of_call):
        assert f"providers.{name}.base_url" in (caught.value.hint or "")
        assert PROVIDERS[name].address_like in (caught.value.hint or "")


@pytest.mark.parametrize("name", WITHOUT_ADDRESS)
def test_a_key_of_a_resource_that_nobody_named_is_not_found(workspace: Workspace, name: str) -> None:
    """Other programs read the same variable; it must not make a machine's access look broken."""
    workspace.environ = {PROVIDERS[name].api_key_env[0]: "canary-of-a-key-5512"}
    app = workspace.app()

    [asked] = auth_status(app, name).credentials

    assert name not in {one.provider for one in auth_status(app).credentials}
    assert (asked.state, asked.is_used) == ("absent", False)
    assert f"providers.{name}.base_url" in (asked.hint or "")


def test_a_key_of_another_provider_is_not_sent_to_a_preset(workspace: Workspace) -> None:
    app = workspace.app()

    with pytest.raises(KeyMalformed, match="Groq") as caught:
        add_api_key(app, open_provider(app, "cerebras"), Secret("gsk_canary5512"))

    assert "llm-orc auth add groq" in (caught.value.hint or "")
