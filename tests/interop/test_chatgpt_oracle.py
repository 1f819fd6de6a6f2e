"""Pydantic AI's own client for Sign in with ChatGPT, as the judge of our authorisation request.

Its endpoints are fixed, so it can't be sent to the sandbox; the address that it opens can be compared all the same.
`uv pip install 'pydantic-ai-slim[openai]'` brings it; without it, the test is skipped.
"""

from __future__ import annotations

import importlib
from urllib.parse import parse_qsl, urlsplit

import pytest

from llm_orc.app.access.credentials import oauth_client_of
from llm_orc.auth.oauth.authorize import AuthorizationAttempt
from llm_orc.auth.oauth.client import KnownAccount, SignInRequest
from tests.settings.conftest import Place, place

__all__ = ["place"]

pytestmark = pytest.mark.interop
HOST = "urn:uuid:0b8ee2f4-5f2e-4f5e-9a3b-0f3f3f8f4c11"
REDIRECT = "http://127.0.0.1:1455/auth/callback"


def asked(url: str) -> tuple[str, dict[str, str]]:
    """The page and its parameters, without those that are new each time."""
    parts = urlsplit(url)
    fields = dict(parse_qsl(parts.query))
    fresh = {fields.pop(name) for name in ("state", "nonce", "code_challenge")}
    assert len(fresh) == 3
    return f"{parts.scheme}://{parts.netloc}{parts.path}", fields


@pytest.mark.parametrize("client_id", [None, "oaiapp_known"])
def test_our_request_is_that_of_an_independent_client(place: Place, client_id: str | None) -> None:
    pytest.importorskip("pydantic_ai")
    theirs = importlib.import_module("pydantic_ai.providers.openai_chatgpt").OpenAIChatGPTOAuthFlow(
        app_name="llm-orc", host_id=HOST, client_id=client_id, redirect_uri=REDIRECT
    )
    oauth = place.load().providers["chatgpt"].oauth
    assert oauth is not None
    known = KnownAccount(client_id, "person") if client_id is not None else None

    ours = AuthorizationAttempt(oauth_client_of("chatgpt", oauth), REDIRECT, request=SignInRequest(HOST, known))

    assert asked(ours.url) == asked(theirs.authorization_url())
