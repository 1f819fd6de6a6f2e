"""A provider's OAuth settings, with the names of RFC 8414 and RFC 7591."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person must know before choosing this auth method, from the provider's own terms."""

    text: str
    link: str
    date: str  # ISO 8601, the date of that statement


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Endpoints and our client at one authorisation server. Endpoints that are None come from `issuer`'s metadata.

    `redirect` `loopback`: the browser comes back to us; `paste`: to `redirect_uri`, a page that shows the code.
    `registers_client`: the first sign-in of an account starts with `client_id` and `registration_params`, and the
    redirect names the client that was registered for it.
    """

    provider: str
    client_id: str | None = None
    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    revocation_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    jwks_uri: str | None = None
    registration_endpoint: str | None = None  # RFC 7591; only from metadata
    promises_pkce: bool = False  # its metadata says that it supports S256 (RFC 8414 §2)
    registers_client: bool = False
    registration_params: Mapping[str, str] = field(default_factory=dict)
    host_id_param: str | None = None  # the parameter that carries the id of this machine
    resource: str | None = None  # RFC 8707
    requires_id_token: bool = False  # OpenID Connect
    scopes: tuple[str, ...] = ()
    redirect: Literal["loopback", "paste"] = "loopback"
    redirect_uri: str | None = None
    token_request: Literal["form", "json"] = "form"  # noqa: S105 - how it is encoded, not a secret
    extra_authorize_params: Mapping[str, str] = field(default_factory=dict)
    extra_token_params: Mapping[str, str] = field(default_factory=dict)
    state_in_token_request: bool = False
    requires_iss: bool = False  # RFC 9207: the server says that it always sends `iss`
    revokes_access_token: bool = True  # at logout; False: it ends with the refresh token
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """What is kept of an account's earlier sign-in where each account has a client of its own."""

    client_id: str
    subject: str = ""  # its id at the provider (`sub`); empty: no ID token of it was checked yet
    login_hint: str = ""  # its name there, as OpenID Connect Core §3.1.2.1 has it
    id_token_hint: Secret | None = None  # the same


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What one sign-in asks for beyond its client. `account` None: this account has not signed in here before."""

    host_id: str = ""  # of this machine: `urn:uuid:…`
    account: KnownAccount | None = None
    asks_consent: bool = False  # the provider asks for all permissions again
