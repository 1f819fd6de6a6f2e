"""The endpoints that clients call: token (RFC 6749 §3.2), revocation (RFC 7009), device (RFC 8628)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.sandbox.faults import Garbage, Hang, Status
from llm_orc.sandbox.oauth.exchange import answered, parameters_of
from llm_orc.sandbox.oauth.faults import Dropped, OAuthError, OAuthRequest, SentElsewhere
from llm_orc.sandbox.oauth.grants import OAuthProblem, token_hash
from llm_orc.sandbox.oauth.id_tokens import AlteredIdToken, Occasion, id_token
from llm_orc.sandbox.oauth.record import RevocationRequest, TokenRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from llm_orc.jsontypes import JsonValue
    from llm_orc.sandbox.oauth.faults import OAuthEffect
    from llm_orc.sandbox.oauth.grants import IssuedTokens
    from llm_orc.sandbox.oauth.state import OAuthState

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class TokenEndpoint:
    """The token endpoint, for public clients only: a request with a client secret is refused."""

    def __init__(self, state: OAuthState) -> None:
        self._state = state

    async def answer(self, request: web.Request) -> web.StreamResponse:
        state = self._state
        problem, parameters = await _read(request)
        refresh_token = parameters.get("refresh_token")
        recorded = TokenRequest(
            at=state.clock(),
            grant_type=parameters.get("grant_type", ""),
            client_id=parameters.get("client_id", ""),
            refresh_token_hash=token_hash(refresh_token) if refresh_token else None,
            content_type=request.content_type,
            parameters=parameters,
            headers=request.headers,
        )
        effect = state.faults.next_for(OAuthRequest("token", recorded.grant_type))
        recorded.fault = type(effect).__name__ if effect else ""
        recorded.outcome = _outcome_of(effect)
        state.record.add(recorded)

        def work() -> Mapping[str, JsonValue]:
            try:
                if problem:
                    raise problem
                issued = self._issue(parameters)
            except OAuthProblem as refused:
                recorded.outcome, recorded.reason = refused.error, refused.reason
                raise
            else:
                recorded.outcome = "accepted"
                return self._document(issued, recorded.client_id, effect)
            finally:
                state.record.tell()

        return await answered(request, effect, state.headers(), work)

    def _issue(self, parameters: Mapping[str, str]) -> IssuedTokens:
        client_id = _required(parameters, "client_id")
        client = self._state.client(client_id)
        if "client_secret" in parameters:
            raise OAuthProblem("invalid_client", "a public client has no secret", status=401)
        grants = self._state.grants
        match _required(parameters, "grant_type"):
            case "authorization_code":
                return grants.redeem(
                    _required(parameters, "code"),
                    client_id,
                    _required(parameters, "redirect_uri"),
                    parameters.get("code_verifier", ""),
                    parameters.get("resource", ""),
                )
            case "refresh_token":
                resource = self._state.resource_of(client)
                if resource and parameters.get("resource") != resource:
                    raise OAuthProblem("invalid_target", f"resource must be {resource} (RFC 8707)")
                scopes = tuple(parameters.get("scope", "").split())
                return grants.refresh(_required(parameters, "refresh_token"), client_id, scopes)
            case grant if grant == DEVICE_GRANT:
                login = self._state.devices.poll(_required(parameters, "device_code"), client_id)
                return grants.new_family(client_id, login.scopes, client.earliest_refresh_s)
            case other:
                raise OAuthProblem("unsupported_grant_type", f"no grant type {other}")

    def _document(
        self, issued: IssuedTokens, client_id: str, effect: OAuthEffect | None
    ) -> Mapping[str, JsonValue]:
        state, document = self._state, dict(_document(issued))
        if state.clients[client_id].has_host:
            document["earliest_refresh_at"] = issued.earliest_refresh_at
        if issued.nonce and "openid" in issued.scopes:
            occasion = Occasion(state.issuer, client_id, issued.nonce, state.clock(), "email" in issued.scopes)
            fault = effect if isinstance(effect, AlteredIdToken) else None
            document["id_token"] = id_token(state.person, occasion, fault)
        return document


class RevocationEndpoint:
    def __init__(self, state: OAuthState) -> None:
        self._state = state

    async def answer(self, request: web.Request) -> web.StreamResponse:
        state = self._state
        problem, parameters = await _read(request)
        effect = state.faults.next_for(OAuthRequest("revoke"))

        def work() -> None:
            if problem:
                raise problem
            state.client(_required(parameters, "client_id"))
            token = _required(parameters, "token")
            was_ours = state.grants.revoke(token)
            hint = parameters.get("token_type_hint", "")
            state.record.add(RevocationRequest(state.clock(), token_hash(token), hint, was_ours))

        return await answered(request, effect, state.headers(), work)


class DeviceEndpoint:
    """The device endpoint (RFC 8628 §3.1, §3.2). With `auto_approve`, a sign-in is allowed at once."""

    def __init__(self, state: OAuthState, page: str) -> None:
        self._state = state
        self._page = page

    async def answer(self, request: web.Request) -> web.StreamResponse:
        state = self._state
        problem, parameters = await _read(request)
        effect = state.faults.next_for(OAuthRequest("device"))
        state.record.add_device(parameters)

        def work() -> Mapping[str, JsonValue]:
            if problem:
                raise problem
            client_id = _required(parameters, "client_id")
            client = state.client(client_id)
            login = state.devices.begin(client_id, state.granted(parameters.get("scope", ""), client))
            if state.auto_approve:
                login.decision = "allowed"
            state.record.tell()
            page = state.origin + self._page
            return {
                "device_code": login.device_code,
                "user_code": login.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={login.user_code}",
                "expires_in": _seconds(state.devices.lifetime_s),
                "interval": _seconds(login.interval_s),
            }

        return await answered(request, effect, state.headers(), work)


async def _read(request: web.Request) -> tuple[OAuthProblem | None, dict[str, str]]:
    """Return the parameters, or the problem of an unreadable body, which is reported only after any fault."""
    try:
        return None, await parameters_of(request)
    except OAuthProblem as problem:
        return problem, {}


def _outcome_of(effect: OAuthEffect | None) -> str:
    """Return the outcome that a fault causes instead of the server; empty if the server decides."""
    match effect:
        case Status(status=status) | SentElsewhere(status=status):
            return f"status {status}"
        case OAuthError(error=error):
            return error
        case Dropped() | Garbage() | Hang():
            return type(effect).__name__.lower()
        case _:
            return ""


def _required(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise OAuthProblem("invalid_request", f"{name} is missing")
    return parameters[name]


def _document(issued: IssuedTokens) -> Mapping[str, JsonValue]:
    """The response of RFC 6749 §5.1, with an unknown field, which clients must ignore."""
    document: dict[str, JsonValue] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": _seconds(issued.expires_in_s),
        "scope": " ".join(issued.scopes),
        "sandbox": "a token of the llm-orc sandbox, worth nothing elsewhere",
    }
    if issued.refresh_token is not None:
        document["refresh_token"] = issued.refresh_token
    return document


def _seconds(seconds: float) -> float:
    return int(seconds) if float(seconds).is_integer() else seconds
