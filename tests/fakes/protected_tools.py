"""An MCP server behind an authorisation server of its own: RFC 9728, 8414, 7591, 7636, 8707, rotating refresh."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.fakes.mcp_server import Server


@dataclass
class ProtectedTools:
    """`faults` are what it does wrong; `asked` are the requests to its token endpoint."""

    faults: frozenset[str] = frozenset()
    origin: str = ""
    scope: str = "tools:read"
    more: str = "tools:write"  # the scope that it asks for where it needs more
    asked: list[dict[str, str]] = field(default_factory=list)
    registered: list[dict[str, Any]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)  # access tokens
    refresh: set[str] = field(default_factory=set)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    async def resource(self, _request: web.Request) -> web.Response:
        if "says nothing" in self.faults:
            raise web.HTTPNotFound
        resource = "https://elsewhere.example/mcp" if "of another" in self.faults else self.url
        scopes = ["tools:read", "tools:write"]
        return web.json_response(
            {"resource": resource, "authorization_servers": [self.origin], "scopes_supported": scopes}
        )

    async def metadata(self, _request: web.Request) -> web.Response:
        if "no metadata" in self.faults:
            raise web.HTTPNotFound
        found: dict[str, Any] = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "revocation_endpoint": f"{self.origin}/revoke",
            "authorization_response_iss_parameter_supported": True,
        }
        if "no pkce" not in self.faults:
            found["code_challenge_methods_supported"] = ["S256"]
        if "no registration" not in self.faults:
            found["registration_endpoint"] = f"{self.origin}/register"
        return web.json_response(found)

    async def register(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.registered.append(asked)
        client = {"client_id": f"client-{len(self.registered)}", **asked}
        if "wants a secret" in self.faults:
            client |= {"token_endpoint_auth_method": "client_secret_basic", "client_secret": "x"}
        return web.json_response(client, status=201)

    async def authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        known = [uri for one in self.registered for uri in one["redirect_uris"]]
        if self.registered and asked["redirect_uri"] not in known:
            raise web.HTTPBadRequest(text="another redirect")
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        query = urlencode({"code": code, "state": asked["state"], "iss": self.origin})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{query}")

    async def token(self, request: web.Request) -> web.Response:
        asked = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(asked)
        if asked["grant_type"] == "authorization_code":
            begun = self._codes.pop(asked["code"])
            digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            is_right = begun["code_challenge"] == challenge and begun["redirect_uri"] == asked["redirect_uri"]
        else:
            is_right = asked["refresh_token"] in self.refresh
            self.refresh.discard(asked["refresh_token"])
        if not is_right or asked.get("resource") != self.url:
            return web.json_response({"error": "invalid_grant"}, status=400)
        access, refresh = f"canary-at-{secrets.token_hex(6)}", f"canary-rt-{secrets.token_hex(6)}"
        self.good.add(access)
        self.refresh.add(refresh)
        given = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600}
        return web.json_response({**given, "scope": self.scope})

    async def revoke(self, request: web.Request) -> web.Response:
        self.revoked.append(str((await request.post())["token"]))
        return web.Response()

    async def tools(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.good and "open" not in self.faults:
            challenge = f'Bearer error="invalid_token", scope="{self.scope}"'
            if "names its description" in self.faults:
                challenge += f', resource_metadata="{self.origin}/about"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        message = await request.json()
        if "needs more" in self.faults and message.get("method") == "tools/call":
            challenge = f'Bearer error="insufficient_scope", scope="{self.more}"'
            return web.Response(status=403, headers={"WWW-Authenticate": challenge})
        said: list[dict[str, Any]] = []
        Server(frozenset(), said.append).take(message)
        answers = [one for one in said if one.get("id") == message.get("id")]
        return web.json_response(answers[0]) if answers else web.Response(status=202)


@asynccontextmanager
async def protected_tools(*faults: str) -> AsyncIterator[ProtectedTools]:
    """A server that is up inside it."""
    server = ProtectedTools(frozenset(faults))
    application = web.Application()
    router = application.router
    router.add_get("/.well-known/oauth-protected-resource/mcp", server.resource)
    router.add_get("/about", server.resource)
    router.add_get("/.well-known/oauth-authorization-server", server.metadata)
    router.add_post("/register", server.register)
    router.add_get("/authorize", server.authorize)
    router.add_post("/token", server.token)
    router.add_post("/revoke", server.revoke)
    router.add_post("/mcp", server.tools)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
