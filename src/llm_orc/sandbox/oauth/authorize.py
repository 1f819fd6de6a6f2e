"""The pages for the user's browser: the authorisation endpoint (RFC 6749 §4.1.1) and the device page."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import web

from llm_orc.dataclass import dataclass
from llm_orc.sandbox.faults import Status
from llm_orc.sandbox.oauth import pages
from llm_orc.sandbox.oauth.clients import CALLBACK_PAGE, Client
from llm_orc.sandbox.oauth.faults import Altered, OAuthEffect, OAuthError, OAuthRequest
from llm_orc.sandbox.oauth.grants import CodeRequest, OAuthProblem
from llm_orc.sandbox.oauth.record import AuthorizationRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.sandbox.oauth.state import OAuthState

AUTHORIZE = "/oauth/authorize"
DECISION = "/oauth/authorize/decision"
DEVICE_PAGE = "/oauth/device/verify"
_HOST_ID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Pending:
    """An authorisation request that waits for the user."""

    code_request: CodeRequest
    client: Client
    state: str
    effect: OAuthEffect | None


class AuthorizePages:
    """Handles authorisation requests: with `auto_approve` at once, otherwise by asking on a page."""

    def __init__(self, state: OAuthState) -> None:
        self._state = state
        self._pending: dict[str, _Pending] = {}

    def add_to(self, application: web.Application) -> None:
        application.router.add_get(AUTHORIZE, self._authorize)
        application.router.add_post(DECISION, self._decide)
        application.router.add_get(CALLBACK_PAGE, self._show_code)
        application.router.add_get(DEVICE_PAGE, self._device)
        application.router.add_post(DEVICE_PAGE, self._decide_device)

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self._state.record.add(AuthorizationRequest(self._state.clock(), query))
        effect = self._state.faults.next_for(OAuthRequest("authorize"))
        if isinstance(effect, Status):
            return pages.page("Something went wrong", effect.body or "", status=effect.status)
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        client = self._state.clients.get(client_id)
        if client is None:
            return pages.refusal(f"The sandbox knows no client {client_id or 'without a name'}.")
        if not client.allows(redirect_uri, self._state.origin):
            return pages.refusal(f"{client_id} has not registered the redirect URI {redirect_uri or '(none)'}.")
        try:
            asked = self._read(query, client)
        except OAuthProblem as problem:
            return self._redirect(redirect_uri, query.get("state", ""), effect, _error_of(problem))
        pending = _Pending(asked, client, query.get("state", ""), effect)
        if self._state.auto_approve:
            return self._approved(pending)
        ticket = secrets.token_urlsafe(16)
        self._pending[ticket] = pending
        shown = query.get("agent_name_hint", client_id)
        return pages.consent(DECISION, shown, asked.scopes, {"request": ticket})

    def _read(self, query: Mapping[str, str], client: Client) -> CodeRequest:
        if query.get("response_type") != "code":
            raise OAuthProblem("unsupported_response_type", "only response_type=code is served")
        challenge = query.get("code_challenge", "")
        if not challenge and self._state.requires_pkce:
            raise OAuthProblem("invalid_request", "code challenge required")  # RFC 7636 §4.4.1
        method = query.get("code_challenge_method", "plain")
        if challenge and (method != "S256" or not self._state.supports_s256):
            raise OAuthProblem("invalid_request", "transform algorithm not supported")
        scopes = self._state.granted(query.get("scope", ""), client)
        if query.get("prompt") != "consent":
            scopes = tuple(scope for scope in scopes if scope not in self._state.withholds)
        resource = self._state.resource_of(client)
        if resource and query.get("resource") != resource:
            raise OAuthProblem("invalid_target", f"resource must be {resource} (RFC 8707)")
        if "openid" in scopes and client.has_host and not query.get("nonce"):
            raise OAuthProblem("invalid_request", "nonce is missing")
        _check_host(query, client)
        return CodeRequest(
            client.client_id,
            query["redirect_uri"],
            scopes,
            challenge,
            query.get("nonce", ""),
            resource,
            client.earliest_refresh_s,
        )

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        pending = self._pending.pop(str(form.get("request", "")), None)
        if pending is None:
            return pages.refusal("This page was used before, or the sandbox was restarted.")
        if form.get("decision") == "allow":
            return self._approved(pending)
        denied = {"error": "access_denied", "error_description": "the person said no"}
        return self._redirect(pending.code_request.redirect_uri, pending.state, pending.effect, denied)

    def _approved(self, pending: _Pending) -> web.Response:
        uri = pending.code_request.redirect_uri
        if isinstance(pending.effect, OAuthError):
            effect = pending.effect
            outcome = {"error": effect.error, "error_description": effect.description}
        else:
            outcome = self._outcome(pending)
        return self._redirect(uri, pending.state, pending.effect, outcome)

    def _outcome(self, pending: _Pending) -> dict[str, str]:
        """Return the code; for an account with a client of its own, also that client."""
        client, asked = pending.client, pending.code_request
        if client.registers:
            client = self._state.register(client)
            asked = replace(asked, client_id=client.client_id)
        outcome = {"code": self._state.grants.new_code(asked)}
        return outcome | ({"client_id": client.client_id} if client.is_registered else {})

    def _redirect(
        self, redirect_uri: str, state: str, effect: OAuthEffect | None, outcome: Mapping[str, str]
    ) -> web.Response:
        parameters = dict(outcome)
        if state:
            parameters["state"] = state
        if self._state.sends_iss:
            parameters["iss"] = self._state.issuer  # RFC 9207
        if isinstance(effect, Altered):
            changed = {**parameters, **effect.fields}
            parameters = {name: str(value) for name, value in changed.items() if value is not None}
        joint = "&" if "?" in redirect_uri else "?"
        location = f"{redirect_uri}{joint}{urlencode(parameters)}"
        return web.Response(status=302, headers={**self._state.headers(), "location": location})

    async def _show_code(self, request: web.Request) -> web.Response:
        if "code" not in request.query:
            error = request.query.get("error_description") or request.query.get("error") or "no code came"
            return pages.refusal(f"The sign-in ended without a code: {error}.")
        return pages.copy_code(request.query["code"], request.query.get("state", ""))

    async def _device(self, request: web.Request) -> web.Response:
        user_code = request.query.get("user_code", "")
        if not user_code:
            return pages.enter_user_code(DEVICE_PAGE)
        wanted = [login for login in self._state.devices.waiting if login.user_code == user_code.strip().upper()]
        if not wanted:
            return pages.refusal(f"No sign-in waits for the code {user_code}.")
        return pages.consent(DEVICE_PAGE, wanted[0].client_id, wanted[0].scopes, {"user_code": user_code})

    async def _decide_device(self, request: web.Request) -> web.Response:
        form = await request.post()
        allowed = form.get("decision") == "allow"
        if not self._state.devices.decide(str(form.get("user_code", "")), "allowed" if allowed else "denied"):
            return pages.refusal("No sign-in waits for this code any more.")
        words = "You are signed in." if allowed else "You said no."
        return pages.page(words, "You can close this page and go back to your terminal.")


def _check_host(query: Mapping[str, str], client: Client) -> None:
    """Check what a sign-in says of its machine and its program, where each account has a client of its own."""
    if not client.has_host:
        return
    if not _HOST_ID.fullmatch(query.get("ext_agent_host_id", "")):
        raise OAuthProblem("invalid_request", "ext_agent_host_id must be a urn:uuid of version 4")
    if client.registers != bool(query.get("agent_name_hint")):
        raise OAuthProblem("invalid_request", "agent_name_hint belongs to the first sign-in, and only to it")


def _error_of(problem: OAuthProblem) -> dict[str, str]:
    return {"error": problem.error, "error_description": problem.description}
