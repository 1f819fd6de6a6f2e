"""Runs on what a person has set up: stored keys, sign-ins that outlive their tokens, and refusals."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.runs.request import RunListener
from llm_orc.auth.access import Billing
from llm_orc.auth.credential import OAuthToken
from llm_orc.engine.events import AgentFinished, ModelRetrying, ModelSwitched
from llm_orc.errors import AccessRefused, AuthError, CredentialExpired
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, on_sandbox, run

PRO_MAX = "anthropic-claude-pro-max"
CLAUDE_CODE = "You are Claude Code, Anthropic's official CLI for Claude."


@pytest.fixture
def server() -> OAuthServer:
    return OAuthServer()


@pytest.fixture
async def signed_in(server: OAuthServer) -> AsyncIterator[Sandbox]:
    """A sandbox whose models want a token of its authorisation server."""
    async with Sandbox(oauth=server, require_token=True) as sandbox:
        yield sandbox


def sign_in(
    workspace: Workspace,
    sandbox: Sandbox,
    server: OAuthServer,
    *,
    lifetime_s: float = 3600,
    auth_method: Sequence[str] = (),
) -> None:
    settings = on_sandbox(sandbox)
    settings["providers"][PRO_MAX] = {  # type: ignore[index]
        "base_url": sandbox.base_url("anthropic"),
        "oauth": {"token_endpoint": server.token_endpoint, "client_id": CLIENT_ID},
        **({"auth_method": list(auth_method)} if auth_method else {}),
    }
    workspace.settings(settings)
    issued = server.issue_tokens()
    open_credentials(workspace.app()).store_oauth_token(
        PRO_MAX,
        issued.access_token,
        issued.refresh_token,
        expires_at=time.time() + lifetime_s,
        client_id=CLIENT_ID,
        billing=Billing.SUBSCRIPTION,
    )


def agent(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "provider": PRO_MAX, "model": "m", "system_prompt": f"You are {name}.", **more}


async def test_a_stored_key_outranks_one_in_the_environment_and_says_so_once(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": "stray-key-in-the-environment"}
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("two", *({"name": n, "provider": "anthropic-api", "model": "m"} for n in "ab"))
    open_credentials(workspace.app()).store_api_key("anthropic-api", KEY)

    result, seen = await run(workspace.app(), "two")

    assert {r.headers["x-api-key"] for r in sandbox.requests} == {KEY}
    [notice] = [n for n in seen.plans[0].notices if "is not used" in n]
    assert "environment variable ANTHROPIC_API_KEY" in notice
    assert result["a"].access is not None
    assert result["a"].access.source == "stored API key (account `default`)"


async def test_a_key_that_a_person_stored_is_a_yes_for_agents_that_name_no_model(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    settings = on_sandbox(sandbox)
    del settings["providers"]["openai-compatible"]  # type: ignore[attr-defined]
    workspace.settings(settings)
    workspace.ensemble("one", {"name": "a"})
    open_credentials(workspace.app()).store_api_key("anthropic-api", KEY)

    result, _ = await run(workspace.app(), "one")

    assert result["a"].access is not None
    assert (result["a"].access.provider, result["a"].access.billing) == ("anthropic-api", Billing.METERED)


async def test_a_stored_key_goes_only_to_the_origin_that_it_was_stored_for(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api", "model": "m"})
    open_credentials(workspace.app()).store_api_key("anthropic-api", KEY, origin="https://api.anthropic.com")

    with pytest.raises(AuthError, match="belongs to"):
        await run(workspace.app(), "one")

    assert sandbox.request_count == 0


async def test_a_sign_in_carries_roles_in_the_conversation_and_the_bill_of_the_subscription(
    workspace: Workspace, signed_in: Sandbox, server: OAuthServer
) -> None:
    sign_in(workspace, signed_in, server)
    workspace.ensemble("panel", agent("analyst"), agent("lawyer"))

    result, _ = await run(workspace.app(), "panel", "Invest?")

    assert result.status == "completed"
    assert result.by_billing.keys() == {"subscription"}
    assert result.total.cost_usd == 0.0
    for request in signed_in.requests:
        assert request.system_prompt == CLAUDE_CODE
        assert request.headers["anthropic-beta"] == "oauth-2025-04-20"
        assert request.headers["Authorization"].startswith("Bearer sandbox-at-")
        assert "x-api-key" not in request.headers
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["User-Agent"].startswith("LLM-Orchestra/Python ")
    roles = {r.messages[0].content for r in signed_in.requests}
    assert roles == {f"For this conversation, please act as: You are {n}." for n in ("analyst", "lawyer")}
    assert [m.role for m in signed_in.requests[0].messages] == ["user", "assistant", "user"]


@pytest.mark.slow
async def test_a_run_that_outlives_its_tokens_several_times_over_completes(workspace: Workspace) -> None:
    server = OAuthServer(access_token_lifetime_s=0.4)
    async with Sandbox(oauth=server, require_token=True, delay_s=0.15) as sandbox:
        sign_in(workspace, sandbox, server, lifetime_s=0.4)
        chain = [agent("a0"), *(agent(f"a{i}", depends_on=[f"a{i - 1}"]) for i in range(1, 12))]
        workspace.ensemble("long", *chain, *(agent(f"b{i}") for i in range(10)))

        result, _ = await run(workspace.app(), "long")

    assert result.status == "completed"
    assert server.refresh_count >= 3
    assert server.reuse_events == []
    assert result["a11"].response is not None
    assert result["a11"].response != result["a10"].response


async def test_a_token_that_is_revoked_in_the_middle_of_a_run_is_renewed_once(
    workspace: Workspace, signed_in: Sandbox, server: OAuthServer
) -> None:
    sign_in(workspace, signed_in, server)
    workspace.ensemble("pair", agent("a"), agent("b", depends_on=["a"]))
    from llm_orc.app.projects.find_ensemble import find_ensemble
    from llm_orc.app.runs.run import RunOptions, run_ensemble

    def show(event: object) -> None:
        if isinstance(event, AgentFinished) and event.agent == "a":
            server.expire_access_tokens()

    app = workspace.app()
    result = await run_ensemble(app, find_ensemble(app, "pair"), RunOptions("x"), RunListener(show))

    assert result.status == "completed"
    assert server.refresh_count == 1


async def test_a_sign_in_that_has_ended_is_said_before_anything_is_sent(
    workspace: Workspace, signed_in: Sandbox, server: OAuthServer
) -> None:
    sign_in(workspace, signed_in, server, lifetime_s=-1)
    server.revoke_everything()
    workspace.ensemble("one", agent("a"))
    first, _ = await run(workspace.app(), "one")

    with pytest.raises(CredentialExpired) as caught:
        await run(workspace.app(), "one")

    assert first["a"].error is not None
    assert first["a"].error.code == "credential_expired"
    assert first.exit_code == 4
    assert caught.value.hint == f"llm-orc auth add {PRO_MAX}"
    assert signed_in.request_count == 0


async def test_a_proof_and_a_renewed_token_are_kept(
    workspace: Workspace, signed_in: Sandbox, server: OAuthServer
) -> None:
    sign_in(workspace, signed_in, server, lifetime_s=-1)
    workspace.ensemble("one", agent("a"))

    await run(workspace.app(), "one")

    entry = open_credentials(workspace.app()).get(PRO_MAX)
    assert entry is not None
    assert isinstance(entry.credential, OAuthToken)
    assert entry.proven_at == pytest.approx(time.time(), abs=5)
    assert entry.refreshed_at == pytest.approx(time.time(), abs=5)


REFUSALS = {
    "claude_code_only": (
        400,
        "invalid_request_error",
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
    ),
    "extra_usage": (
        400,
        "invalid_request_error",
        "Third-party apps now draw from your extra usage, not your plan limits.",
    ),
    "oauth_not_supported": (401, "authentication_error", "OAuth authentication is currently not supported."),
    "org_not_allowed": (
        403,
        "permission_error",
        "OAuth authentication is currently not allowed for this organization.",
    ),
    "entitlement_gate": (429, "rate_limit_error", "Error"),
}


@pytest.mark.parametrize("signature", REFUSALS)
async def test_a_refused_way_in_is_named_remembered_and_left_for_the_next(
    workspace: Workspace, signature: str
) -> None:
    status, kind, message = REFUSALS[signature]
    body = f'{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}'
    server = OAuthServer()
    async with Sandbox(oauth=server, faults=[Fault(Status(status, body=body), model="m")]) as sandbox:
        sign_in(workspace, sandbox, server)
        settings = on_sandbox(sandbox, model_profiles={"free": {"provider": "openai-compatible", "model": "n"}})
        settings["providers"][PRO_MAX] = {"base_url": sandbox.base_url("anthropic")}  # type: ignore[index]
        workspace.settings(settings)
        workspace.ensemble("one", agent("a", fallback_model_profile="free"))
        workspace.ensemble("alone", agent("a"))

        result, seen = await run(workspace.app(), "one")
        asked = sandbox.request_count
        with pytest.raises(AccessRefused) as caught:
            await run(workspace.app(), "alone")

        assert result.status == "completed"
        [switched] = [e for e in seen.events if isinstance(e, ModelSwitched)]
        assert switched.error.code == "access_refused"
        assert not any(isinstance(e, ModelRetrying) for e in seen.events)
        assert asked == sandbox.request_count == 2
        assert server.refresh_count == 0
        assert caught.value.signature == signature
