"""When the sign-in of Anthropic's own tool is used: on wish, or where there is nothing else; never billed unasked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.status import auth_status
from llm_orc.app.setup.inventory import inventory
from llm_orc.errors import AuthError, CredentialExpired, MeteredNotAllowed, NotLoggedIn
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, on_sandbox, run
from tests.auth.test_ant_profile import TOKEN, put_profile

NAMED = {"name": "a", "provider": "anthropic-api", "model": "m"}


def set_up(workspace: Workspace, sandbox: Sandbox, *, auth_method: str | None = None, **profile: Any) -> None:
    settings: dict[str, Any] = on_sandbox(sandbox)
    del settings["providers"]["openai-compatible"]
    if auth_method:
        settings["providers"]["anthropic-api"]["auth_method"] = auth_method
    workspace.settings(settings)
    workspace.ensemble("named", NAMED)
    workspace.ensemble("open", {"name": "a"})
    put_profile(workspace.root / ".config" / "anthropic", **{"base_url": sandbox.origin, **profile})


def sent(sandbox: Sandbox) -> list[tuple[str | None, str | None]]:
    return [(r.headers.get("x-api-key"), r.headers.get("Authorization")) for r in sandbox.requests]


async def test_the_profile_serves_an_agent_that_names_the_provider_where_nothing_else_is(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    set_up(workspace, sandbox)

    result, _ = await run(workspace.app(), "named")

    assert result.status == "completed"
    assert result["a"].access is not None
    assert result["a"].access.source == "sign-in of `ant auth login` (profile `default`)"
    assert result.by_billing.keys() == {"metered"}
    assert sent(sandbox) == [(None, f"Bearer {TOKEN}")]
    assert not (workspace.config / "credentials.json").exists()


async def test_a_profile_that_is_just_there_is_not_billed_without_a_yes(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    set_up(workspace, sandbox)

    with pytest.raises(MeteredNotAllowed, match="ant auth login"):
        await run(workspace.app(), "open")
    assert sandbox.request_count == 0
    result, _ = await run(workspace.app(), "open", allow_metered=True)

    assert result.status == "completed"


async def test_a_key_in_the_environment_keeps_winning(workspace: Workspace, sandbox: Sandbox) -> None:
    set_up(workspace, sandbox)
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}

    await run(workspace.app(), "named")

    assert sent(sandbox) == [(KEY, None)]


async def test_other_providers_keys_are_found_before_the_profile(workspace: Workspace, sandbox: Sandbox) -> None:
    set_up(workspace, sandbox)
    workspace.environ = {"OPENAI_API_KEY": KEY}

    found = (await inventory(workspace.app())).found

    assert [f.provider for f in found] == ["openai", "anthropic-api"]
    assert found[1].evidence == "profile `default` of `ant auth login`"


async def test_what_was_set_up_here_keeps_winning(workspace: Workspace, sandbox: Sandbox) -> None:
    set_up(workspace, sandbox)
    open_credentials(workspace.app()).store_api_key("anthropic-api", KEY)

    await run(workspace.app(), "named")

    assert sent(sandbox) == [(KEY, None)]


async def test_a_preference_for_it_is_a_yes_and_comes_before_what_is_stored(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    set_up(workspace, sandbox, auth_method="oauth")
    open_credentials(workspace.app()).store_api_key("anthropic-api", KEY)

    await run(workspace.app(), "open")

    assert sent(sandbox) == [(None, f"Bearer {TOKEN}")]


async def test_the_configuration_may_put_the_profile_before_the_environment_and_the_run_says_so(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    set_up(workspace, sandbox, auth_method="oauth")
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}

    _, seen = await run(workspace.app(), "named")

    assert sent(sandbox) == [(None, f"Bearer {TOKEN}")]
    assert any("ANTHROPIC_API_KEY is not used" in notice for notice in seen.plans[0].notices)


async def test_a_wanted_profile_that_is_missing_is_not_replaced_by_a_key(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    set_up(workspace, sandbox, auth_method="oauth")
    workspace.environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_PROFILE": "other"}

    with pytest.raises(NotLoggedIn, match="no profile `other`") as caught:
        await run(workspace.app(), "named")

    assert "ant auth login" in (caught.value.hint or "")
    assert sandbox.request_count == 0


async def test_a_profile_that_has_ended_names_its_tool(workspace: Workspace, sandbox: Sandbox) -> None:
    set_up(workspace, sandbox, expires_at=time.time() - 5)

    with pytest.raises(CredentialExpired) as caught:
        await run(workspace.app(), "named")

    assert caught.value.hint == "ant auth login"


async def test_the_token_goes_only_to_the_server_of_its_profile(workspace: Workspace, sandbox: Sandbox) -> None:
    set_up(workspace, sandbox, base_url="https://api.anthropic.com")

    with pytest.raises(AuthError, match="belongs to `https://api"):
        await run(workspace.app(), "named")

    assert sandbox.request_count == 0


@pytest.mark.parametrize(
    ("auth_method", "order"), [(None, ["environment", "profile"]), ("oauth", ["profile", "environment"])]
)
def test_status_shows_the_profile_and_which_of_the_two_a_run_uses(
    workspace: Workspace, auth_method: str | None, order: list[str]
) -> None:
    providers = {"anthropic-api": {"auth_method": auth_method} if auth_method else {}}
    workspace.settings({"providers": providers})
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    put_profile(workspace.root / ".config" / "anthropic")

    rows = auth_status(workspace.app(), "anthropic-api").credentials

    assert [row.place for row in rows] == order
    assert [row.is_used for row in rows] == [True, False]
