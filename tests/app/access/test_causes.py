"""Every cause of a failed authentication, in whatever words it came: what happened, which credential, what to do.

Each row stands in docs/guides/troubleshooting.md under the same heading.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.errors import LlmOrcError
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.access.test_stored_access import PRO_MAX, sign_in
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "troubleshooting.md"


def anthropic(kind: str, message: str) -> str:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}})


def openai(message: str, code: str = "") -> str:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": code}})


def google(message: str, status: str, reason: str = "") -> str:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return json.dumps({"error": {"code": 400, "message": message, "status": status, "details": details}})


def in_environment(variable: str) -> Callable[[Workspace], None]:
    def set_up(workspace: Workspace) -> None:
        workspace.environ[variable] = KEY

    return set_up


def stored(provider: str, account: str | None = None) -> Callable[[Workspace], None]:
    def set_up(workspace: Workspace) -> None:
        open_credentials(workspace.app()).store_api_key(provider, KEY, account=account)

    return set_up


def nothing(_workspace: Workspace) -> None:
    return


@dataclass(frozen=True)
class Cause:
    """What the provider answers, and what a person is then told."""

    heading: str
    provider: str
    set_up: Callable[[Workspace], None]
    status: int
    body: str
    code: str
    says: tuple[str, ...]
    hint: str
    exit_code: int = 4


CAUSES = (
    Cause(
        "A key from the environment is wrong",
        "anthropic-api",
        in_environment("ANTHROPIC_API_KEY"),
        401,
        anthropic("authentication_error", "invalid x-api-key"),
        "credential_refused",
        ("refused the API key of the environment variable ANTHROPIC_API_KEY", "invalid x-api-key"),
        "Check the environment variable ANTHROPIC_API_KEY",
    ),
    Cause(
        "A stored key is wrong",
        "openai",
        stored("openai"),
        401,
        openai("Incorrect API key provided: sk-…", "invalid_api_key"),
        "credential_refused",
        ("refused the stored API key (account `default`)", "Incorrect API key provided"),
        "llm-orc auth add openai --method api-key",
    ),
    Cause(
        "A stored key of another account is wrong",
        "openai",
        stored("openai", "work"),
        401,
        openai("Incorrect API key provided", "invalid_api_key"),
        "credential_refused",
        ("refused the stored API key (account `work`)",),
        "llm-orc auth add openai --method api-key --account work",
    ),
    Cause(
        "Google does not know the key",
        "google-gemini",
        in_environment("GEMINI_API_KEY"),
        400,
        google("API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
        "credential_refused",
        ("refused the API key of the environment variable GEMINI_API_KEY", "API key not valid"),
        "Check the environment variable GEMINI_API_KEY",
    ),
    Cause(
        "Google's key has expired",
        "google-gemini",
        in_environment("GEMINI_API_KEY"),
        400,
        google("API key expired. Please renew the API key.", "INVALID_ARGUMENT"),
        "credential_refused",
        ("API key expired",),
        "keys are at https://aistudio.google.com/apikey",
    ),
    Cause(
        "The key may not do this",
        "openai",
        in_environment("OPENAI_API_KEY"),
        403,
        openai("Project does not have access to model `m`", "model_not_found_for_project"),
        "credential_refused",
        ("does not allow this with the API key of the environment variable OPENAI_API_KEY",),
        "Check the environment variable OPENAI_API_KEY",
    ),
    Cause(
        "The server wants a key, and there is none",
        "openai-compatible",
        nothing,
        401,
        openai("You didn't provide an API key."),
        "credential_refused",
        ("refused the call without a credential",),
        "llm-orc auth add openai-compatible",
    ),
    Cause(
        "The account has no credit",
        "openai",
        in_environment("OPENAI_API_KEY"),
        429,
        openai("You exceeded your current quota", "insufficient_quota"),
        "request_rejected",
        ("requires payment", "You exceeded your current quota"),
        "Add credit",
        5,
    ),
    Cause(
        "The credit is used up",
        "anthropic-api",
        in_environment("ANTHROPIC_API_KEY"),
        400,
        anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        "request_rejected",
        ("requires payment", "credit balance is too low"),
        "Add credit",
        5,
    ),
)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.heading)
async def test_a_cause_is_told_with_the_credential_and_the_next_command(
    workspace: Workspace, cause: Cause
) -> None:
    async with Sandbox(faults=[Fault(Status(cause.status, body=cause.body))]) as sandbox:
        workspace.settings(on_sandbox(sandbox, runs={"max_retries": 0}))
        workspace.ensemble("solo", local("a", provider=cause.provider))
        cause.set_up(workspace)
        result, _ = await run(workspace.app(), "solo")

    error = result["a"].error
    assert error is not None
    assert (error.code, result.exit_code) == (cause.code, cause.exit_code)
    for words in cause.says:
        assert words in error.message
    assert cause.hint in (error.hint or "")
    assert KEY not in f"{error.message}{error.hint}"


REFUSALS = (
    ("The plan's token is for Claude Code only", 400, "invalid_request_error", "This credential is only authorized for use with Claude Code and cannot be used for other API requests.", "it accepts this credential from Claude Code only"),
    ("It would be billed as extra usage", 400, "invalid_request_error", "Third-party apps now draw from your extra usage, not your plan limits.", "it would bill this as extra usage"),
    ("OAuth is not accepted here", 401, "authentication_error", "OAuth authentication is currently not supported.", "it does not accept OAuth here"),
    ("The organization does not allow OAuth", 403, "permission_error", "OAuth authentication is currently not allowed for this organization.", "the organization does not allow OAuth"),
    ("The plan does not cover this auth method", 429, "rate_limit_error", "Error", "the subscription does not cover this auth method"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("heading", "status", "kind", "message", "says"), REFUSALS, ids=lambda value: str(value)[:40]
)
async def test_a_refusal_is_told_and_never_worked_around(
    workspace: Workspace, heading: str, status: int, kind: str, message: str, says: str
) -> None:
    server = OAuthServer()
    faults = [Fault(Status(status, body=anthropic(kind, message)))]
    async with Sandbox(oauth=server, require_token=True, faults=faults) as sandbox:
        sign_in(workspace, sandbox, server)
        workspace.ensemble("solo", local("a", provider=PRO_MAX, auth_method="oauth"))
        result, _ = await run(workspace.app(), "solo")

    error = result["a"].error
    assert error is not None
    assert (error.code, result.exit_code) == ("access_refused", 4)
    assert says in error.message
    assert "anthropic-api" in (error.hint or "")


async def test_a_sign_in_that_was_revoked_is_told_with_its_account(workspace: Workspace) -> None:
    server = OAuthServer()
    faults = [Fault(Status(403, body=anthropic("permission_error", "OAuth token has been revoked.")))]
    async with Sandbox(oauth=server, require_token=True, faults=faults) as sandbox:
        sign_in(workspace, sandbox, server)
        workspace.ensemble("solo", local("a", provider=PRO_MAX, auth_method="oauth"))
        result, _ = await run(workspace.app(), "solo")

    error = result["a"].error
    assert error is not None
    assert "does not allow this with the sign-in (account `default`)" in error.message
    assert "OAuth token has been revoked" in error.message
    assert f"Sign in again: `llm-orc auth add {PRO_MAX}" in (error.hint or "")


async def test_no_credential_at_all_ends_a_run_before_it_begins(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("solo", local("a", provider="openai"))

    with pytest.raises(LlmOrcError, match="there is no API key for `openai`") as missing:
        await run(workspace.app(), "solo")

    assert "llm-orc auth add openai" in (missing.value.hint or "")
    assert sandbox.request_count == 0


def test_every_cause_has_its_row_in_the_guide() -> None:
    rows = {line.split("|")[1].strip() for line in GUIDE.read_text().splitlines() if line.startswith("| ")}
    told_elsewhere = {
        "There is no credential at all",
        "The sign-in was revoked",
        "The sign-in has expired",
        "The official CLI is logged out",
        "The clock is wrong",
        "A permission is missing",
        "llm-orc was disconnected at the provider",
        "A token command fails",
        "A token command gives a wrong token",
        "The provider names no default model",
        "`auth add` says that what was pasted is no key",
        "`auth add` could not test a key",
    }

    assert (
        rows - {"cause", "---"}
        == {cause.heading for cause in CAUSES} | {row[0] for row in REFUSALS} | told_elsewhere
    )
