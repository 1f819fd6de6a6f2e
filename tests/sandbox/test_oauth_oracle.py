"""An independent client, Authlib's, signs in at the sandbox: it keeps to the standards, not only to our own code."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from llm_orc.sandbox.oauth.clients import CLIENT_ID, NEW_CLIENT_ID
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


async def test_authlib_signs_in_where_the_sign_in_registers_its_client() -> None:
    oauth = OAuthServer(auto_approve=True)
    async with Sandbox(oauth=oauth) as sandbox:
        resource = f"{sandbox.origin}/v1"
        registering = AsyncOAuth2Client(
            NEW_CLIENT_ID,
            code_challenge_method="S256",
            redirect_uri="http://127.0.0.1:51004/auth/callback",
            scope="openid email inference",
            trust_env=False,
        )
        url, _ = registering.create_authorization_url(
            oauth.authorization_endpoint,
            code_verifier=VERIFIER,
            nonce="nonce-1",
            resource=resource,
            agent_name_hint="Authlib",
            ext_agent_host_id=uuid.uuid4().urn,
        )
        back = (await ask("GET", url)).headers["location"]
        issued = dict(parse_qsl(urlsplit(back).query))["client_id"]
        async with AsyncOAuth2Client(
            issued,
            token_endpoint_auth_method="none",
            redirect_uri="http://127.0.0.1:51004/auth/callback",
            trust_env=False,
        ) as client:
            token = await client.fetch_token(
                oauth.token_endpoint, authorization_response=back, code_verifier=VERIFIER, resource=resource
            )
        keys = (await ask("GET", oauth.jwks_uri)).json

    assert issued != NEW_CLIENT_ID
    decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
    proven = CodeIDToken(
        decoded.claims,
        decoded.header,
        {"iss": {"value": oauth.issuer}, "aud": {"value": issued}},
        {"nonce": "nonce-1", "client_id": issued},
    )
    proven.validate()
    assert proven["email"] == "person@sandbox.example"
