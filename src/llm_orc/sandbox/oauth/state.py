"""What the authorisation server's endpoints share: its identity, its options, and what it has issued."""

from __future__ import annotations

from collections.abc import Callable, Collection
from email.utils import formatdate

from llm_orc.dataclass import dataclass
from llm_orc.sandbox.faults import FaultPlan
from llm_orc.sandbox.oauth.clients import Client
from llm_orc.sandbox.oauth.devices import Devices
from llm_orc.sandbox.oauth.faults import OAuthEffect, OAuthRequest
from llm_orc.sandbox.oauth.grants import Grants, OAuthProblem
from llm_orc.sandbox.oauth.id_tokens import Person
from llm_orc.sandbox.oauth.record import OAuthRecord


@dataclass(slots=True)
class OAuthState:
    """The shared state; `origin` is set once the sandbox listens."""

    clients: dict[str, Client]  # those that sign-ins have registered included
    scopes: tuple[str, ...]
    grants: Grants
    devices: Devices
    faults: FaultPlan[OAuthRequest, OAuthEffect]
    record: OAuthRecord
    clock: Callable[[], float]
    issuer_path: str
    auto_approve: bool
    requires_pkce: bool
    supports_s256: bool
    sends_iss: bool
    date_skew_s: float
    person: Person
    withholds: Collection[str]
    origin: str = ""

    @property
    def issuer(self) -> str:
        return self.origin + self.issuer_path

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer to a client (RFC 6749 §5.1). `Date` has the configured skew."""
        return {
            "x-llm-orc-sandbox": "canned",
            "cache-control": "no-store",
            "date": formatdate(self.clock() + self.date_skew_s, usegmt=True),
        }

    def client(self, client_id: str) -> Client:
        """Return the client that the request names. Raises `OAuthProblem`."""
        if client_id not in self.clients:
            raise OAuthProblem("invalid_client", "unknown client_id", status=401)
        return self.clients[client_id]

    def granted(self, asked: str, client: Client) -> tuple[str, ...]:
        """Return the scopes of a request, or all scopes if it names none. Raises `OAuthProblem`."""
        scopes, known = tuple(dict.fromkeys(asked.split())), client.scopes or self.scopes
        unknown = [scope for scope in scopes if scope not in known]
        if unknown:
            raise OAuthProblem("invalid_scope", f"unknown scope {unknown[0]}")
        return scopes or known

    def resource_of(self, client: Client) -> str:
        """Return the resource that its requests must name; empty: none."""
        return f"{self.origin}{client.resource}" if client.resource.startswith("/") else client.resource

    def register(self, client: Client) -> Client:
        """Return a new client of one account."""
        new = client.registered()
        self.clients[new.client_id] = new
        return new
