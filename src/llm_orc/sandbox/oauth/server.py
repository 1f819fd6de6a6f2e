"""An authorisation server on loopback, for the sandbox: it signs in every user, and fails on demand.

Its tokens are recognizable (`sandbox-at-…`, `sandbox-rt-…`). Pass it to `Sandbox(oauth=OAuthServer())`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.sandbox.faults import FaultPlan
from llm_orc.sandbox.oauth.authorize import AUTHORIZE, DEVICE_PAGE, AuthorizePages
from llm_orc.sandbox.oauth.clients import CLIENT_ID, INFERENCE, PLAN_CLIENT, Client
from llm_orc.sandbox.oauth.devices import Devices
from llm_orc.sandbox.oauth.exchange import answered
from llm_orc.sandbox.oauth.faults import OAuthFault, OAuthRequest
from llm_orc.sandbox.oauth.grants import Grants
from llm_orc.sandbox.oauth.id_tokens import Person, published_keys
from llm_orc.sandbox.oauth.record import OAuthRecord
from llm_orc.sandbox.oauth.state import OAuthState
from llm_orc.sandbox.oauth.tokens import DEVICE_GRANT, DeviceEndpoint, RevocationEndpoint, TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from llm_orc.jsontypes import JsonValue
    from llm_orc.sandbox.oauth.grants import IssuedTokens, ReuseEvent, TokenState
    from llm_orc.sandbox.oauth.record import TokenRequest

TOKEN = "/oauth/token"  # noqa: S105 - a path
REVOKE = "/oauth/revoke"
DEVICE = "/oauth/device"
KEYS = "/oauth/keys"
SCOPES = (INFERENCE, "profile")


@dataclass(kw_only=True, eq=False, repr=False)
class OAuthServer:
    """An authorisation server. Times are in seconds.

    By default it rotates refresh tokens, and revokes a token family at reuse (RFC 9700 §4.14.2).
    """

    access_token_lifetime_s: float = 3600.0
    code_lifetime_s: float = 60.0
    rotates: bool = True
    detects_reuse: bool = True
    reuse_grace_s: float = 0.0  # a rotated refresh token still works for this long
    omits_refresh_token_on_refresh: bool = False  # the current one stays valid (RFC 6749 §6)
    clients: Sequence[Client] = (Client(), PLAN_CLIENT)
    scopes: Sequence[str] = SCOPES
    auto_approve: bool = False  # redirect at once instead of asking on a page
    requires_pkce: bool = True
    supports_s256: bool = True
    sends_iss: bool = True
    device_interval_s: float = 5.0
    device_lifetime_s: float = 600.0
    date_skew_s: float = 0.0  # how far the `Date` header is ahead
    person: Person = Person()
    withholds: Collection[str] = ()  # scopes that are granted only with `prompt=consent`
    issuer_path: str = ""  # the part of the issuer's URL after the origin
    faults: Sequence[OAuthFault] = ()
    keep_requests: bool = True  # False: only count them, for long-lived servers
    clock: Callable[[], float] = time.time
    _state: OAuthState = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._state = OAuthState(
            clients={client.client_id: client for client in self.clients},
            scopes=tuple(self.scopes),
            grants=Grants(
                access_token_lifetime_s=self.access_token_lifetime_s,
                code_lifetime_s=self.code_lifetime_s,
                rotates=self.rotates,
                detects_reuse=self.detects_reuse,
                reuse_grace_s=self.reuse_grace_s,
                omits_refresh_token=self.omits_refresh_token_on_refresh,
                clock=self.clock,
            ),
            devices=Devices(
                interval_s=self.device_interval_s, lifetime_s=self.device_lifetime_s, clock=self.clock
            ),
            faults=FaultPlan(self.faults),
            record=OAuthRecord(keep=self.keep_requests),
            clock=self.clock,
            issuer_path=self.issuer_path,
            auto_approve=self.auto_approve,
            requires_pkce=self.requires_pkce,
            supports_s256=self.supports_s256,
            sends_iss=self.sends_iss,
            date_skew_s=self.date_skew_s,
            person=self.person,
            withholds=self.withholds,
        )

    @property
    def issuer(self) -> str:
        return self._state.issuer

    @property
    def authorization_endpoint(self) -> str:
        return self._state.origin + AUTHORIZE

    @property
    def token_endpoint(self) -> str:
        return self._state.origin + TOKEN

    @property
    def revocation_endpoint(self) -> str:
        return self._state.origin + REVOKE

    @property
    def device_authorization_endpoint(self) -> str:
        return self._state.origin + DEVICE

    @property
    def jwks_uri(self) -> str:
        return self._state.origin + KEYS

    def change_person(self, person: Person) -> None:
        """Sign another person in from now on."""
        self._state.person = person

    def add_fault(self, fault: OAuthFault) -> None:
        self._state.faults.add(fault)

    def issue_tokens(self, client_id: str = CLIENT_ID, scopes: Sequence[str] = ()) -> IssuedTokens:
        """Sign a user in without a browser: issue a new token family, as after consent."""
        client = self._state.clients[client_id]
        granted = tuple(scopes) or client.scopes or self._state.scopes
        return self._state.grants.new_family(client_id, granted, client.earliest_refresh_s)

    def register_client(self, client_id: str = PLAN_CLIENT.client_id) -> str:
        """Register a client of one account, as its first sign-in does, and return its id."""
        return self._state.register(self._state.clients[client_id]).client_id

    def set_access_token_lifetime(self, lifetime_s: float) -> None:
        """Set the lifetime of access tokens that are issued from now on."""
        self._state.grants.access_token_lifetime_s = lifetime_s

    def expire_access_tokens(self) -> None:
        """Expire every issued access token now."""
        self._state.grants.expire_access_tokens()

    def revoke_everything(self) -> None:
        self._state.grants.revoke_all()

    def approve_device(self, user_code: str) -> bool:
        """Allow the sign-in with this code. Returns whether one was waiting."""
        return self._state.devices.decide(user_code, "allowed")

    def deny_device(self, user_code: str) -> bool:
        return self._state.devices.decide(user_code, "denied")

    @property
    def record(self) -> OAuthRecord:
        return self._state.record

    @property
    def token_requests(self) -> list[TokenRequest]:
        return self._state.record.token_requests

    @property
    def refresh_count(self) -> int:
        """The number of refresh requests, successful or not."""
        return self._state.record.refresh_count

    @property
    def reuse_events(self) -> list[ReuseEvent]:
        return self._state.grants.reuse_events

    @property
    def early_refreshes(self) -> int:
        """The number of refreshes that came too early, each of which has spent a refresh token."""
        return self._state.grants.early_refreshes

    @property
    def families_alive(self) -> int:
        return self._state.grants.families_alive

    @property
    def tokens_issued(self) -> int:
        return self._state.grants.tokens_issued

    @property
    def waiting_user_codes(self) -> list[str]:
        """The user codes of the device sign-ins that are still undecided."""
        return [login.user_code for login in self._state.devices.waiting]

    def token_state(self, access_token: str) -> TokenState:
        return self._state.grants.state_of(access_token)

    def scopes_of(self, access_token: str) -> tuple[str, ...]:
        return self._state.grants.scopes_of(access_token)

    async def wait_for_token_requests(
        self, count: int, *, worked_on: bool = False, timeout_s: float = 10.0
    ) -> list[TokenRequest]:
        """Return once `count` requests have arrived; with `worked_on`, been processed. Raises `TimeoutError`."""
        requests = self._state.record.token_requests

        def is_so() -> bool:
            return sum(1 for r in requests if r.outcome or not worked_on) >= count

        await self._state.record.wait_until(is_so, timeout_s)
        return requests

    async def wait_for_device_login(self, *, timeout_s: float = 10.0) -> str:
        """Wait for a device sign-in and return its user code. Raises `TimeoutError`."""
        await self._state.record.wait_until(lambda: bool(self._state.devices.waiting), timeout_s)
        return self._state.devices.waiting[0].user_code

    def add_to(self, application: web.Application) -> None:
        state = self._state
        AuthorizePages(state).add_to(application)
        application.router.add_post(TOKEN, TokenEndpoint(state).answer)
        application.router.add_post(REVOKE, RevocationEndpoint(state).answer)
        application.router.add_post(DEVICE, DeviceEndpoint(state, DEVICE_PAGE).answer)
        application.router.add_get(KEYS, self._keys)
        path = state.issuer_path
        for well_known in (
            f"/.well-known/oauth-authorization-server{path}",  # RFC 8414 §3.1
            f"{path}/.well-known/openid-configuration",  # OpenID Connect Discovery §4
        ):
            application.router.add_get(well_known, self._metadata)

    def listens_at(self, origin: str) -> None:
        self._state.origin = origin

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        effect = self._state.faults.next_for(OAuthRequest("metadata"))
        self._state.record.add_metadata(request.path)
        return await answered(request, effect, self._state.headers(), self._document)

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        effect = self._state.faults.next_for(OAuthRequest("keys"))
        self._state.record.add_metadata(request.path)
        return await answered(request, effect, self._state.headers(), published_keys)

    def _document(self) -> Mapping[str, JsonValue]:
        """Return the metadata document (RFC 8414 §2, OpenID Connect Discovery §3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.authorization_endpoint,
            "token_endpoint": self.token_endpoint,
            "revocation_endpoint": self.revocation_endpoint,
            "device_authorization_endpoint": self.device_authorization_endpoint,
            "jwks_uri": self.jwks_uri,
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": list(self._state.scopes),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
            "code_challenge_methods_supported": ["S256"] if self._state.supports_s256 else ["plain"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": self._state.sends_iss,
        }
