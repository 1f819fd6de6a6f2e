"""Sign-ins in a real store, at the sandbox's authorisation server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_orc.auth.credential import Entry, OAuthToken
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.tokens.oauth import OAuthAuthoriser, Tokens
from llm_orc.auth.tokens.refresh import TokenKeeper
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.faults import OAuthEffect, OAuthFault
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.auth.sign_in_store import PROVIDER, open_storage

EXPIRED_S = -1.0


@dataclass
class SignIn:
    """One person's sign-in: where it is kept, where it came from, and who keeps it fresh."""

    storage: CredentialStorage
    server: OAuthServer
    client: OAuthClient
    http: Http

    def issue(self, *, lifetime_s: float | None = None) -> Entry:
        """Sign in anew; the token lives as long as the server says, or is thought to."""
        issued = self.server.issue_tokens()
        return self.storage.store_oauth_token(
            PROVIDER,
            issued.access_token,
            issued.refresh_token,
            expires_at=time.time() + (3600 if lifetime_s is None else lifetime_s),
            client_id=CLIENT_ID,
        )

    def keeper(self, clock: Callable[[], float] = time.time) -> TokenKeeper:
        """A keeper of its own, as another process would have."""
        entry = self.entry
        return Tokens(self.storage, self.http, clock).keeper(entry, self.client)

    @property
    def entry(self) -> Entry:
        entry = self.storage.get(PROVIDER)
        assert entry is not None
        return entry

    @property
    def token(self) -> OAuthToken:
        credential = self.entry.credential
        assert isinstance(credential, OAuthToken)
        return credential


def fault(effect: OAuthEffect, times: int | None = 1) -> OAuthFault:
    """A fault of the next renewals."""
    return OAuthFault(effect, grant_type="refresh_token", times=times)


async def sent_by(authoriser: OAuthAuthoriser) -> dict[str, str]:
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)
    return headers


@asynccontextmanager
async def sign_in_at(server: OAuthServer, folder: Path) -> AsyncIterator[SignIn]:
    async with Sandbox(oauth=server), Http(NetworkSettings(idle_timeout_s=0.5), max_connections=50) as http:
        client = OAuthClient(PROVIDER, CLIENT_ID, token_endpoint=server.token_endpoint)
        yield SignIn(open_storage(folder), server, client, http)


@pytest.fixture
def server() -> OAuthServer:
    return OAuthServer()


@pytest.fixture
async def sign_in(tmp_path: Path, server: OAuthServer) -> AsyncIterator[SignIn]:
    async with sign_in_at(server, tmp_path / "store") as signed_in:
        yield signed_in
