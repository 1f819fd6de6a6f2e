"""Sign in to an MCP server: find its authorisation server, become its client, and keep the tokens.

Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization.
"""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.registration import keep_client
from llm_orc.app.tools.servers import find_server
from llm_orc.auth.access import Billing
from llm_orc.auth.credential import OAuthToken, new_entry, stored_name
from llm_orc.auth.methods.browser import browser_chances
from llm_orc.auth.methods.browser_visit import VisitOptions
from llm_orc.auth.methods.oauth_browser import BrowserLogin
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.discovery.protected_resource import find_resource, read_challenge
from llm_orc.auth.oauth.discovery.register import register_client
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.errors import CredentialStoreError, InputError, LoginFailed, ToolServerFailed
from llm_orc.mcp.wire import HANDSHAKE_VERSIONS, request
from llm_orc.net.http import Http
from llm_orc.net.origin import origin_of
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.accounts.sign_in import SignInOptions
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.methods.base import Ask, Login
    from llm_orc.net.transport import Answer, Transport
    from llm_orc.settings.model import McpServerSettings

_ASK_LIMIT_S = 30.0


async def sign_in_to_server(app: App, name: str, ask: Ask, options: SignInOptions, scopes: Sequence[str]) -> Entry:
    """Sign in to the MCP server `name` and store the result; `scopes` empty: those that the server asks for.

    Nothing is stored before the sign-in has worked. Raises `SettingsError`, `InputError` for a server that is a
    program, `LoginFailed`, `ToolServerFailed`, `CredentialStoreError`.
    """
    server = find_server(app, name)
    if server.url is None:
        raise InputError(f"the MCP server `{name}` is a program, and takes no sign-in from us")
    storage = open_credentials(app)
    if not (state := storage.state).is_usable:
        raise CredentialStoreError(state.words, state=state.name, hint=state.hint)
    async with Http(app.settings.network, max_connections=4) as http:
        client = await _client(server, server.url, http, scopes)
        login = await _login(app, client, http, options, ask)
    token = login.credential
    assert isinstance(token, OAuthToken)  # an authorisation server gives nothing else
    token = replace(token, issued_at=app.clock.now(), scopes=tuple(login.scopes))
    entry = new_entry(client.provider, options.account, token, Billing.LOCAL)
    kept = storage.keep(replace(entry, origin=origin_of(server.url), label=login.label))
    keep_client(app, client, kept.account, token.client_id or client.client_id or "")
    return kept


async def _client(server: McpServerSettings, url: str, http: Transport, scopes: Sequence[str]) -> OAuthClient:
    """Return our client with all that a sign-in needs; where none is configured, one is registered."""
    answer = await _refusal(server, url, http)
    challenge = read_challenge(answer.headers.get("WWW-Authenticate", ""))
    found = await find_resource(url, challenge, http, server.name)
    client = OAuthClient(
        stored_name(server.name),
        server.client_id,
        issuer=found.issuer,
        resource=found.resource,
        scopes=tuple(scopes) or server.scopes or found.scopes,
    )
    try:
        client = await resolve(client, http)
    except LoginFailed as e:
        if answer.status == 200:
            raise LoginFailed(
                f"the MCP server `{server.name}` has answered without a sign-in, and names no place for one",
                hint=f"Perhaps it needs none: `llm-orc mcp tools {server.name}`.",
                error=e.error,
            ) from e
        raise LoginFailed(
            f"the MCP server `{server.name}` can't be signed in to: {e.message}", error=e.error
        ) from e
    if not client.promises_pkce:
        raise LoginFailed(
            f"the server where `{server.name}` signs in does not promise to check sign-ins (PKCE with S256), so it"
            " is not used",
            hint="Ask its operator; the protocol requires it.",
            error="pkce",
        )
    if client.client_id is not None:
        return client
    if client.registration_endpoint is None:
        raise LoginFailed(
            f"the server where `{server.name}` signs in registers no clients by itself",
            hint="Register one there for `http://127.0.0.1/callback`, and set"
            f" `mcp_servers.{server.name}.client_id`.",
            error="registration",
        )
    redirect_uri = f"http://127.0.0.1:{_free_port()}/callback"
    return replace(client, client_id=await register_client(client, redirect_uri, http), redirect_uri=redirect_uri)


async def _refusal(server: McpServerSettings, url: str, http: Transport) -> Answer:
    """Ask the server without a credential: as it refuses, it says where to sign in."""
    hello = request(
        1,
        "initialize",
        {
            "protocolVersion": HANDSHAKE_VERSIONS[0],
            "capabilities": {},
            "clientInfo": {"name": "llm-orc", "version": "0"},
        },
    )
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    try:
        return await http.send("POST", url, {**headers, **server.headers}, hello, limit_s=_ASK_LIMIT_S)
    except TransportError as e:
        raise ToolServerFailed(f"the MCP server `{server.name}` at {url}: {e.reason}", hint=e.hint) from e


async def _login(app: App, client: OAuthClient, http: Transport, options: SignInOptions, ask: Ask) -> Login:
    around = app.environment
    chances = browser_chances(around.environ, around.platform, shutil.which, os.path.exists)
    visit = VisitOptions(client.provider, chances, no_browser=options.no_browser, limit_s=options.limit_s)
    return await BrowserLogin(client, http, visit, app.clock.now).log_in(ask)


def _free_port() -> int:
    """Return a port for the redirect: many servers compare the whole address, port and all."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
