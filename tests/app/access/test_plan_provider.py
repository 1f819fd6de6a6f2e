"""Runs on a plan that its user describes in the configuration, against the sandbox's endpoint for plans."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.auth.access import Billing
from llm_orc.errors import AuthError
from llm_orc.sandbox.faults import Fault, RefusalSignature
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, on_sandbox, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.sandbox.refusals import SignatureName

SCOPES = ("openid", "profile", "email", "offline_access", "inference")
CODE = "subscription_sharing"
CALLS = {
    "always_stream": True,
    "leave_out": ["temperature", "max_output_tokens"],
    "only_completed": True,
    "errors": {
        f"{CODE}_usage_limit_exceeded": "plan-limit",
        f"{CODE}_user_not_eligible": "not-eligible",
        f"{CODE}_usage_unavailable": "unavailable",
        f"{CODE}_unsupported_capability": "unsupported",
    },
}


class Plan:
    """A workspace that is signed in to the plan `mine`, and its server."""

    def __init__(self, workspace: Workspace, faults: Sequence[Fault] = ()) -> None:
        self.workspace = workspace
        self.oauth = OAuthServer(scopes=SCOPES)
        self.sandbox = Sandbox(oauth=self.oauth, require_token=True, faults=faults)
        workspace.environ["PATH"] = "/nowhere"

    async def __aenter__(self) -> Self:
        await self.sandbox.__aenter__()
        settings: Any = on_sandbox(self.sandbox)
        settings["providers"]["mine"] = {
            "base_url": self.sandbox.base_url("openai-responses"),
            "dialect": "openai-responses",
            "billing": "subscription",
            "calls": CALLS,
            "oauth": {
                "authorization_endpoint": self.oauth.authorization_endpoint,
                "token_endpoint": self.oauth.token_endpoint,
                "client_id": CLIENT_ID,
                "usage_page": "https://mine.example/usage",
            },
        }
        self.workspace.settings(settings)
        issued = self.oauth.issue_tokens(scopes=SCOPES)
        open_credentials(self.workspace.app()).store_oauth_token(
            "mine",
            issued.access_token,
            issued.refresh_token,
            time.time() + 3600,
            CLIENT_ID,
            billing=Billing.SUBSCRIPTION,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sandbox.__aexit__(None, None, None)

    async def ask(self) -> tuple[str, str]:
        """Run one agent; return the code and the hint of its error, empty if there is none."""
        agent = {"name": "a", "provider": "mine", "model": "m", "system_prompt": "You judge.", "max_tokens": 50}
        self.workspace.ensemble("one", agent)
        try:
            result, _ = await run(self.workspace.app(), "one")
        except AuthError as e:
            return e.code, e.hint or ""
        error = result["a"].error
        return ("", "") if error is None else (error.code, error.hint or "")


def failing(name: SignatureName, tokens: int | None = None, times: int | None = None) -> list[Fault]:
    return [Fault(RefusalSignature(name, tokens), times=times)]


async def test_a_plan_that_only_settings_describe_answers(workspace: Workspace) -> None:
    async with Plan(workspace) as plan:
        assert await plan.ask() == ("", "")

    assert plan.sandbox.requests[0].stream
    assert plan.sandbox.requests[0].system_prompt == "You judge."


@pytest.mark.parametrize("tokens", [None, 3])
async def test_a_limit_of_the_plan_is_met_once_and_leads_to_its_page(
    workspace: Workspace, tokens: int | None
) -> None:
    async with Plan(workspace, failing("plan_limit", tokens)) as plan:
        code, hint = await plan.ask()

    assert code == "plan_limit_reached"
    assert "Manage usage: https://mine.example/usage." in hint
    assert plan.sandbox.request_count == 1


async def test_an_account_that_is_not_eligible_is_never_asked_again_and_never_renewed(
    workspace: Workspace,
) -> None:
    async with Plan(workspace, failing("plan_not_eligible")) as plan:
        outcomes = [await plan.ask(), await plan.ask()]

    assert [code for code, _ in outcomes] == ["access_refused", "access_refused"]
    assert all("auth add" not in hint for _, hint in outcomes)
    assert plan.sandbox.request_count == 1
    assert plan.oauth.refresh_count == 0


async def test_a_plan_that_is_unavailable_is_asked_again(workspace: Workspace) -> None:
    async with Plan(workspace, failing("plan_unavailable", times=1)) as plan:
        assert await plan.ask() == ("", "")

    assert plan.sandbox.request_count == 2


async def test_what_the_plan_does_not_support_ends_the_call_and_is_named(workspace: Workspace) -> None:
    async with Plan(workspace, failing("plan_unsupported")) as plan:
        code, hint = await plan.ask()

    assert code == "request_rejected"
    assert "report it" in hint
    assert plan.sandbox.request_count == 1
