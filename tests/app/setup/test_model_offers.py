"""What each access offers: asked as a run would ask, with an error for each that can't be asked, and never for all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.setup.model_offers import OfferedModel, offers
from llm_orc.auth.access import Billing
from llm_orc.errors import CredentialRefused, NotLoggedIn, SettingsError
from llm_orc.sandbox.model_lists import MODELS
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, on_sandbox
from tests.fakes import claude, codex

if TYPE_CHECKING:
    from pathlib import Path

FREE = tuple(OfferedModel(model, "", 0.0, 0.0) for model in MODELS)
SCOPES = ("openid", "inference")


@pytest.fixture(autouse=True)
def _no_programs(workspace: Workspace) -> None:
    workspace.environ["PATH"] = "/nowhere"


async def test_every_access_of_the_machine_is_asked(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.environ |= {"OPENAI_API_KEY": "sk-proj-12345678", "ANTHROPIC_API_KEY": "sk-ant-12345678"}

    found = {offer.provider: offer for offer in await offers(workspace.app())}

    assert set(found) == {"openai", "anthropic-api", "openai-compatible"}
    assert found["openai-compatible"].models == FREE
    assert found["openai"].models == tuple(OfferedModel(model) for model in MODELS)
    assert found["openai"].default == "gpt-5.5"
    assert found["anthropic-api"].models[0].name == "canned-small (llm-orc sandbox)"
    access = found["openai"].access
    assert access is not None
    assert (access.billing, access.source) == (Billing.METERED, "environment variable OPENAI_API_KEY")
    assert sandbox.request_count == 0


async def test_one_that_fails_takes_no_other_with_it(workspace: Workspace, sandbox: Sandbox) -> None:
    settings = on_sandbox(sandbox)
    async with Sandbox(oauth=OAuthServer(), require_token=True) as strict:
        settings["providers"]["openai"]["base_url"] = strict.base_url("openai-responses")  # type: ignore[index]
        workspace.settings(settings)
        workspace.environ["OPENAI_API_KEY"] = "sk-proj-12345678"

        found = {offer.provider: offer for offer in await offers(workspace.app())}

    assert isinstance(found["openai"].error, CredentialRefused)
    assert "API key of the environment variable OPENAI_API_KEY" in found["openai"].error.message
    assert (found["openai"].models, found["openai-compatible"].models) == ((), FREE)


async def test_a_provider_that_is_not_set_up_is_left_out_and_says_why_if_it_is_named(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(on_sandbox(sandbox))

    everything = await offers(workspace.app())
    [named] = await offers(workspace.app(), "openai")

    assert [offer.provider for offer in everything] == ["openai-compatible"]
    assert isinstance(named.error, NotLoggedIn)
    assert named.error.message == "there is no API key for `openai`"
    with pytest.raises(SettingsError, match="no provider `opnai`"):
        await offers(workspace.app(), "opnai")


async def test_a_plan_lists_what_it_shows_with_its_token_and_no_prices(workspace: Workspace) -> None:
    oauth = OAuthServer(scopes=SCOPES)
    async with Sandbox(oauth=oauth, require_token=True) as sandbox:
        settings = on_sandbox(sandbox)
        settings["providers"]["mine"] = {  # type: ignore[index]
            "base_url": sandbox.base_url("openai-responses"),
            "dialect": "openai-responses",
            "billing": "subscription",
            "oauth": {
                "authorization_endpoint": oauth.authorization_endpoint,
                "token_endpoint": oauth.token_endpoint,
                "client_id": CLIENT_ID,
            },
        }
        workspace.settings(settings)
        token = oauth.issue_tokens(scopes=SCOPES)
        credentials = open_credentials(workspace.app())
        ends = time.time() + 3600
        credentials.store_oauth_token(
            "mine", token.access_token, token.refresh_token, ends, CLIENT_ID, billing=Billing.SUBSCRIPTION
        )

        [offer] = await offers(workspace.app(), "mine")

    assert offer.models == (
        OfferedModel("canned-small", "Canned small"),
        OfferedModel("canned-large", "Canned large"),
    )


async def test_official_programs_list_what_they_know_or_say_that_they_do_not(
    workspace: Workspace, tmp_path: Path
) -> None:
    claude.install(tmp_path / "claude")
    codex.install(tmp_path / "codex")
    workspace.environ["PATH"] = f"{tmp_path / 'claude' / 'bin'}:{tmp_path / 'codex' / 'bin'}:/usr/bin:/bin"
    workspace.settings({"providers": {"ollama": {"base_url": "http://127.0.0.1:9/v1"}}})

    found = {offer.provider: offer for offer in await offers(workspace.app())}

    assert [model.model for model in found["anthropic-claude-pro-max"].models] == ["sonnet", "opus", "haiku"]
    assert "doesn't list its models" in found["anthropic-claude-pro-max"].note
    assert found["codex-cli"].models
    assert found["codex-cli"].note == ""
