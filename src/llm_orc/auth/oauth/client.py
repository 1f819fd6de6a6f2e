"""A provider's OAuth settings, with the names of RFC 8414 and RFC 7591."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

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
    """

    provider: str
    client_id: str | None = None
    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    revocation_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    scopes: tuple[str, ...] = ()
    redirect: Literal["loopback", "paste"] = "loopback"
    redirect_uri: str | None = None
    token_request: Literal["form", "json"] = "form"  # noqa: S105 - how it is encoded, not a secret
    extra_authorize_params: Mapping[str, str] = field(default_factory=dict)
    extra_token_params: Mapping[str, str] = field(default_factory=dict)
    state_in_token_request: bool = False
    requires_iss: bool = False  # RFC 9207: the server says that it always sends `iss`
    notice: Notice | None = None
