"""A provider is looked up once; its methods say who pays and what works here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.official_cli import use_cli
from llm_orc.app.accounts.prefer import prefer
from llm_orc.auth.access import Billing
from llm_orc.errors import AccessNotSupported, InputError, SettingsError
from llm_orc.providers.official_cli.state import CliState

if TYPE_CHECKING:
    from tests.app.conftest import Workspace

PLAN = "anthropic-claude-pro-max"
OAUTH = {
    "authorization_endpoint": "https://sign-in.test/authorize",
    "token_endpoint": "https://sign-in.test/token",
    "billing": "subscription",
}


def server(**oauth: str) -> dict[str, object]:
    own = {"base_url": "http://127.0.0.1:1/v1", "dialect": "openai-chat", "oauth": {**OAUTH, **oauth}}
    return {"providers": {"mine": own}}


def test_a_plan_offers_what_it_pays_for_and_its_metered_sibling(workspace: Workspace) -> None:
    methods = {method.name: method for method in open_provider(workspace.app(), PLAN).methods}

    assert methods["claude-cli"].billing is Billing.SUBSCRIPTION
    assert methods["api-key"].billing is Billing.METERED
    assert "llm-orc auth add anthropic-api" in methods["api-key"].state


def test_the_methods_that_work_here_come_first(workspace: Workspace) -> None:
    workspace.settings(server())

    before = open_provider(workspace.app(), "mine").methods
    workspace.settings(server(client_id="c-1"))
    after = open_provider(workspace.app(), "mine").methods

    assert [(method.name, method.is_ready) for method in before] == [("api-key", True), ("oauth", False)]
    assert [(method.name, method.is_ready) for method in after] == [("oauth", True), ("api-key", True)]
    assert after[0].billing is Billing.SUBSCRIPTION


def test_an_earlier_sign_in_lends_its_client_id(workspace: Workspace) -> None:
    workspace.settings(server())
    open_credentials(workspace.app()).store_oauth_token("mine", "access", "refresh", None, "c-of-then")

    place = open_provider(workspace.app(), "mine").method("oauth").sign_in

    assert place is not None
    assert (place.has_client, place.client.client_id, place.client.provider) == (True, "c-of-then", "mine")


def test_a_method_that_is_not_offered_is_refused_with_those_that_are(workspace: Workspace) -> None:
    app = workspace.app()

    with pytest.raises(AccessNotSupported, match="`openai` has no `claude-cli`") as refused:
        open_provider(app, "openai").method("claude-cli")
    with pytest.raises(AccessNotSupported) as needless:
        open_provider(app, "sandbox").method("claude-cli")
    with pytest.raises(SettingsError, match="there is no provider `opnai`"):
        open_provider(app, "opnai")

    assert refused.value.hint == "It has: `--method api-key`"
    assert needless.value.hint is not None


def test_a_preferred_cli_stands_before_what_was_allowed_already(workspace: Workspace) -> None:
    workspace.settings({"providers": {PLAN: {"auth_method": ["api-key", "claude-cli"]}}})
    app = workspace.app()
    provider = open_provider(app, PLAN)
    state = CliState("claude-cli", "claude")

    written = use_cli(app, provider, provider.method("claude-cli"), state)

    assert [method.name for method in written.methods] == ["claude-cli", "api-key"]
    assert open_provider(workspace.app(), PLAN).preferred == ("claude-cli", "api-key")


def test_a_method_named_twice_is_refused(workspace: Workspace) -> None:
    app = workspace.app()

    with pytest.raises(InputError, match="named twice"):
        prefer(app, open_provider(app, "openai"), ("api-key", "api-key"))
