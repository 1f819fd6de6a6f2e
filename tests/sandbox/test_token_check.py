"""Models that answer only live tokens, and credentials that are refused in the provider's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from llm_orc.sandbox.faults import Fault, RefusalSignature
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.refusals import SIGNATURES
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.calls import DIALECTS, VERSION, ask

if TYPE_CHECKING:
    from llm_orc.sandbox.refusals import SignatureName, TokenTrouble

# For each trouble and dialect: status, a word that programs look for, words that people read.
REFUSALS: dict[TokenTrouble, dict[str, tuple[int, str, str]]] = {
    "expired": {
        "anthropic": (401, "authentication_error", "OAuth token has expired. Please obtain a new token"),
        "openai-chat": (401, "token_expired", "Provided authentication token is expired"),
        "gemini": (401, "ACCESS_TOKEN_EXPIRED", "Request had invalid authentication credentials"),
    },
    "revoked": {
        "anthropic": (403, "permission_error", "OAuth token has been revoked."),
        "openai-chat": (401, "token_revoked", "has been invalidated"),
        "gemini": (401, "UNAUTHENTICATED", "invalid authentication credentials"),
    },
    "scope": {
        "anthropic": (403, "permission_error", "does not meet scope requirement inference"),
        "openai-chat": (403, "missing_scope", "Missing scopes: inference"),
        "gemini": (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficient authentication scopes"),
    },
    "unknown": {
        "anthropic": (401, "authentication_error", "Invalid authentication credentials"),
        "openai-chat": (401, "invalid_api_key", "Incorrect API key provided."),
        "gemini": (401, "UNAUTHENTICATED", "invalid authentication credentials"),
    },
    "missing": {
        "anthropic": (401, "authentication_error", "x-api-key header is required"),
        "openai-chat": (401, "invalid_api_key", "You didn't provide an API key."),
        "gemini": (401, "UNAUTHENTICATED", "invalid authentication credentials"),
    },
}
for _by_dialect in REFUSALS.values():
    _by_dialect["openai-responses"] = _by_dialect["openai-chat"]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def headers_with(trouble: TokenTrouble, oauth: OAuthServer) -> dict[str, str]:
    """What a client sends that is in this trouble."""
    if trouble == "missing":
        return {"x-api-key": oauth.issue_tokens().access_token}
    if trouble == "unknown":
        return bearer("sandbox-at-guessed")
    token = oauth.issue_tokens(scopes=["profile"] if trouble == "scope" else []).access_token
    if trouble == "expired":
        oauth.expire_access_tokens()
    if trouble == "revoked":
        oauth.revoke_everything()
    return bearer(token)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_live_token_gets_an_answer(dialect: str, stream: bool) -> None:
    oauth = OAuthServer()
    async with Sandbox(oauth=oauth, require_token=True) as sandbox:
        got = await ask(sandbox, dialect, stream=stream, headers=bearer(oauth.issue_tokens().access_token))

    assert got.status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("trouble", REFUSALS)
async def test_a_token_in_trouble_is_refused_in_the_provider_s_words(trouble: TokenTrouble, dialect: str) -> None:
    oauth = OAuthServer()
    async with Sandbox(oauth=oauth, require_token=True) as sandbox:
        got = await ask(sandbox, dialect, headers=headers_with(trouble, oauth))

    status, kind, words = REFUSALS[trouble][dialect]
    assert got.status == status
    assert f'"{kind}"' in got.body.decode()
    assert words in got.json["error"]["message"]
    assert b"sandbox-at-" not in got.body


@pytest.mark.parametrize(
    ("trouble", "challenge"),
    [
        ("missing", "Bearer"),
        ("unknown", 'Bearer error="invalid_token"'),
        ("expired", 'Bearer error="invalid_token", error_description="The access token expired"'),
        ("scope", 'Bearer error="insufficient_scope", scope="inference"'),
    ],
)
async def test_a_refusal_carries_the_challenge_of_rfc_6750(trouble: TokenTrouble, challenge: str) -> None:
    oauth = OAuthServer()
    async with Sandbox(oauth=oauth, require_token=True) as sandbox:
        got = await ask(sandbox, "openai-chat", headers=headers_with(trouble, oauth))

    assert got.headers["www-authenticate"] == challenge


async def test_without_require_token_anything_is_answered() -> None:
    async with Sandbox(oauth=OAuthServer()) as sandbox:
        got = await ask(sandbox, "anthropic", headers=bearer("whatever"))

    assert got.status == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/canned", "/v1beta/models", "/api/tags"])
async def test_lists_of_models_want_a_token_too(path: str) -> None:
    oauth = OAuthServer()
    async with Sandbox(oauth=oauth, require_token=True) as sandbox, aiohttp.ClientSession() as session:
        without = await session.get(sandbox.origin + path, headers=VERSION)
        live = await session.get(
            sandbox.origin + path, headers=VERSION | bearer(oauth.issue_tokens().access_token)
        )

    assert (without.status, live.status) == (401, 200)


@pytest.mark.parametrize("name", [name for name in SIGNATURES if not name.startswith("plan_")])
async def test_each_refusal_is_recognised_by_status_type_and_words(name: SignatureName) -> None:
    kinds = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        429: "rate_limit_error",
    }
    async with Sandbox(faults=[Fault(RefusalSignature(name), times=1)]) as sandbox:
        refused = await ask(sandbox, "anthropic")
        later = await ask(sandbox, "anthropic")

    signature = SIGNATURES[name]
    assert refused.status == signature.status
    assert refused.json["error"] == {"type": kinds[signature.status], "message": signature.message}
    assert later.status == 200


async def test_the_gate_for_other_programs_shows_no_limit_and_a_real_limit_does() -> None:
    async with Sandbox(
        faults=[Fault(RefusalSignature("entitlement_gate"), times=1), Fault(RefusalSignature("rate_limited"))]
    ) as sandbox:
        gate = await ask(sandbox, "anthropic")
        limit = await ask(sandbox, "anthropic")

    def limits(headers: dict[str, str]) -> set[str]:
        return {name for name in headers if "ratelimit" in name or name == "retry-after"}

    assert (gate.status, gate.json["error"]["message"], limits(gate.headers)) == (429, "Error", set())
    assert {"retry-after", "anthropic-ratelimit-unified-status"} <= limits(limit.headers)
