"""The endpoint of a plan: what it refuses, how it fails, and that OpenAI's own SDK reads both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from llm_orc.errors import InputError
from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.faults import Fault, RefusalSignature, parse_fault
from llm_orc.sandbox.model_lists import MODELS
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.fakes import sdks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import openai

    from llm_orc.sandbox.refusals import SignatureName

SCOPES = ("openid", "profile", "email", "offline_access", "inference")
ALLOWED: dict[str, Any] = {
    "model": "canned-small",
    "instructions": "You judge.",
    "input": [{"role": "user", "content": "Is it?"}],
    "store": False,
    "stream": True,
}


@pytest.fixture
def oauth() -> OAuthServer:
    return OAuthServer(scopes=SCOPES)


@pytest.fixture
async def sandbox(oauth: OAuthServer) -> AsyncIterator[Sandbox]:
    async with Sandbox(oauth=oauth, require_token=True) as sandbox:
        yield sandbox


def client(sandbox: Sandbox, token: str) -> openai.AsyncOpenAI:
    return sdks.openai.AsyncOpenAI(base_url=f"{sandbox.origin}/v1", api_key=token, max_retries=0)


async def events(sandbox: Sandbox, token: str, **changes: object) -> list[Any]:
    """Return the events of a stream as the SDK reads them; a change to None leaves the field out."""
    body = {name: value for name, value in {**ALLOWED, **changes}.items() if value is not None}
    async with client(sandbox, token) as sdk:
        return [event async for event in await sdk.responses.create(**body)]


async def test_the_sdk_completes_a_request_of_the_plan(sandbox: Sandbox, oauth: OAuthServer) -> None:
    token = oauth.issue_tokens(scopes=SCOPES).access_token

    seen = await events(sandbox, token, reasoning={"effort": "low"}, prompt_cache_key="k")

    assert seen[-1].type == "response.completed"
    assert seen[-1].response.output_text.startswith(LABEL)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_output_tokens", 50),
        ("temperature", 0.5),
        ("top_p", 0.5),
        ("metadata", {"a": "b"}),
        ("previous_response_id", "resp_1"),
        ("truncation", "auto"),
        ("user", "me"),
        ("store", True),
        ("store", None),
        ("input", "Is it?"),
        ("input", [{"type": "message", "role": "system", "content": "You judge."}]),
    ],
)
async def test_the_sdk_is_told_which_part_is_refused(
    sandbox: Sandbox, oauth: OAuthServer, field: str, value: object
) -> None:
    token = oauth.issue_tokens(scopes=SCOPES).access_token

    with pytest.raises(sdks.openai.BadRequestError) as caught:
        await events(sandbox, token, **{field: value})

    assert caught.value.code == "subscription_sharing_unsupported_capability"
    assert caught.value.param == field


async def test_an_answer_in_one_piece_is_refused(sandbox: Sandbox, oauth: OAuthServer) -> None:
    async with client(sandbox, oauth.issue_tokens(scopes=SCOPES).access_token) as sdk:
        with pytest.raises(sdks.openai.BadRequestError) as caught:
            await sdk.responses.create(**{**ALLOWED, "stream": False})

    assert caught.value.param == "stream"


async def test_the_plan_serves_no_other_protocol(sandbox: Sandbox, oauth: OAuthServer) -> None:
    async with client(sandbox, oauth.issue_tokens(scopes=SCOPES).access_token) as sdk:
        with pytest.raises(sdks.openai.PermissionDeniedError) as caught:
            await sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "Is it?"}])

    assert caught.value.code == "subscription_sharing_route_not_supported"


async def test_other_tokens_are_served_as_before(sandbox: Sandbox, oauth: OAuthServer) -> None:
    async with client(sandbox, oauth.issue_tokens(scopes=("inference",)).access_token) as sdk:
        response = await sdk.responses.create(model="m", input="Is it?", temperature=0.5)

    assert response.status == "completed"


async def test_a_plan_without_the_check_of_tokens_has_its_rules(oauth: OAuthServer) -> None:
    async with Sandbox(oauth=oauth) as sandbox:
        with pytest.raises(sdks.openai.BadRequestError):
            await events(sandbox, oauth.issue_tokens(scopes=SCOPES).access_token, temperature=0.5)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/models"])
async def test_a_sign_in_that_has_ended_is_refused_by_the_gateway(
    sandbox: Sandbox, oauth: OAuthServer, path: str
) -> None:
    token = oauth.issue_tokens(scopes=SCOPES).access_token
    oauth.revoke_everything()
    headers = {"authorization": f"Bearer {token}"}

    async with aiohttp.ClientSession() as session:
        kind = "POST" if path == "/v1/responses" else "GET"
        answer = await session.request(kind, sandbox.origin + path, json=ALLOWED, headers=headers)

    assert (answer.status, await answer.json()) == (401, {"detail": {"error_code": "invalid_token"}})


async def test_the_list_of_models_is_the_plans(sandbox: Sandbox, oauth: OAuthServer) -> None:
    token = oauth.issue_tokens(scopes=SCOPES).access_token

    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as session:
        listed = await (await session.get(f"{sandbox.origin}/v1/models")).json()

    shown = [model["slug"] for model in listed["models"] if model["visibility"] == "list"]
    assert shown == [*MODELS]
    assert len(listed["models"]) > len(shown)
    assert all(model["display_name"] for model in listed["models"])


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("plan_limit", "RateLimitError", "usage_limit_exceeded"),
        ("plan_not_eligible", "PermissionDeniedError", "user_not_eligible"),
        ("plan_unavailable", "InternalServerError", "usage_unavailable"),
        ("plan_account_unavailable", "InternalServerError", "user_unavailable"),
        ("plan_unsupported", "BadRequestError", "unsupported_capability"),
        ("plan_route", "PermissionDeniedError", "route_not_supported"),
        ("plan_invalid_user", "AuthenticationError", "invalid_user"),
    ],
)
async def test_the_sdk_reads_each_failure(oauth: OAuthServer, name: SignatureName, error: str, code: str) -> None:
    async with Sandbox(oauth=oauth, faults=[Fault(RefusalSignature(name))]) as sandbox:
        with pytest.raises(getattr(sdks.openai, error)) as caught:
            await events(sandbox, oauth.issue_tokens(scopes=SCOPES).access_token)

    assert caught.value.code == f"subscription_sharing_{code}"


async def test_the_sdk_reads_a_limit_in_mid_stream(oauth: OAuthServer) -> None:
    async with Sandbox(oauth=oauth, faults=[parse_fault("refusal_signature=plan_limit,tokens=2")]) as sandbox:
        seen = await events(sandbox, oauth.issue_tokens(scopes=SCOPES).access_token)

    assert [event.type for event in seen if event.type.endswith("delta")] == ["response.output_text.delta"] * 2
    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error.code == "subscription_sharing_usage_limit_exceeded"


def test_a_refusal_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="no refusal `plan_limits`"):
        parse_fault("refusal_signature=plan_limits")
