"""A client by hand for the sandbox's authorisation server: every request as the RFCs write it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.oauth.tokens import DEVICE_GRANT
from llm_orc.sandbox.server import Sandbox

if TYPE_CHECKING:
    from llm_orc.sandbox.oauth.server import OAuthServer

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT_URI = "http://127.0.0.1:51004/callback"


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    headers: dict[str, str]
    body: str
    json: Any  # None where it is none


async def ask(method: str, url: str, **options: Any) -> Said:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, allow_redirects=False, **options) as response,
    ):
        is_json = response.content_type == "application/json"
        return Said(
            response.status,
            {name.lower(): value for name, value in response.headers.items()},
            await response.text(),
            await response.json() if is_json else None,
        )


async def authorize(oauth: OAuthServer, **changes: str | None) -> Said:
    """Send the browser there; None leaves a parameter out."""
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "inference",
        "state": "state-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    parameters.update(changes)
    query = {name: value for name, value in parameters.items() if value is not None}
    return await ask("GET", oauth.authorization_endpoint, params=query)


def came_back_with(said: Said) -> dict[str, str]:
    """The parameters of the redirect."""
    assert said.status == 302, said.body
    return dict(parse_qsl(urlsplit(said.headers["location"]).query))


async def exchange(oauth: OAuthServer, issued_code: str, **changes: str) -> Said:
    parameters = {
        "grant_type": "authorization_code",
        "code": issued_code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    return await token(oauth, parameters | changes)


async def refresh(oauth: OAuthServer, refresh_token: str, *, as_json: bool = False, **changes: str) -> Said:
    parameters = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return await token(oauth, parameters | changes, as_json=as_json)


async def token(oauth: OAuthServer, parameters: dict[str, str], *, as_json: bool = False) -> Said:
    parameters = {"client_id": CLIENT_ID} | parameters
    body: dict[str, Any] = {"json": parameters} if as_json else {"data": parameters}
    return await ask("POST", oauth.token_endpoint, **body)


async def poll(oauth: OAuthServer, device_code: str) -> Any:
    """The answer's JSON."""
    return (await token(oauth, {"grant_type": DEVICE_GRANT, "device_code": device_code})).json


async def signed_in(oauth: OAuthServer) -> dict[str, Any]:
    """Go the whole way through the browser and return the token response."""
    code = came_back_with(await authorize(oauth))["code"]
    said = await exchange(oauth, code)
    assert said.status == 200, said.body
    found: dict[str, Any] = said.json
    return found


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[OAuthServer]:
    oauth = OAuthServer(**{"auto_approve": True} | options)
    async with Sandbox(oauth=oauth):
        yield oauth
