"""An independent client, Authlib's, signs in at the sandbox: it keeps to the standards, not only to our own code."""

from __future__ import annotations

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.oauth_calls import REDIRECT_URI, VERIFIER, ask


async def test_authlib_signs_in_refreshes_and_revokes() -> None:
    oauth = OAuthServer(auto_approve=True)
    async with (
        Sandbox(oauth=oauth),
        AsyncOAuth2Client(
            CLIENT_ID,
            token_endpoint_auth_method="none",
            revocation_endpoint_auth_method="none",
            code_challenge_method="S256",
            redirect_uri=REDIRECT_URI,
            scope="inference",
            trust_env=False,
        ) as client,
    ):
        url, _ = client.create_authorization_url(oauth.authorization_endpoint, code_verifier=VERIFIER)
        back = (await ask("GET", url)).headers["location"]
        first = await client.fetch_token(oauth.token_endpoint, authorization_response=back, code_verifier=VERIFIER)
        second = await client.refresh_token(oauth.token_endpoint, refresh_token=first["refresh_token"])
        await client.revoke_token(
            oauth.revocation_endpoint,
            token=second["refresh_token"],
            token_type_hint="refresh_token",
        )
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.refresh_token(oauth.token_endpoint, refresh_token=second["refresh_token"])

    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert oauth.families_alive == 0
