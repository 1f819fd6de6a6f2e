"""The clients that the sandbox's authorisation server knows, with their redirect URIs."""

from __future__ import annotations

import secrets
from dataclasses import replace
from urllib.parse import urlsplit

from llm_orc.dataclass import dataclass

CLIENT_ID = "llm-orc-sandbox-client"
NEW_CLIENT_ID = (
    "sandbox-new-client"  # with which a first sign-in starts where each account gets a client of its own
)
INFERENCE = "inference"
MODEL_SCOPES = frozenset({INFERENCE, "chatgpt.tokens.use.direct"})  # models answer to tokens with one of them
CALLBACK_PAGE = "/oauth/code/callback"  # shows the code, for clients that the browser can't reach
_LOOPBACK_LITERALS = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Client:
    """A public client: it has an id but no secret (RFC 6749 §2.1).

    A redirect URI or a `resource` that starts with `/` is one of the sandbox itself. `registers`: a sign-in with
    it registers a client of the account's own, which the redirect names; that one `is_registered`, and the rest of
    it is as here. Both need `ext_agent_host_id`; the first sign-in needs `agent_name_hint`, no other may have it.
    """

    client_id: str = CLIENT_ID
    redirect_uris: tuple[str, ...] = ("http://127.0.0.1/callback", "http://[::1]/callback", CALLBACK_PAGE)
    scopes: tuple[str, ...] = ()  # that it may ask for; empty: those of the server
    registers: bool = False
    is_registered: bool = False
    resource: str = ""  # RFC 8707: must be named in each request
    # A refresh earlier than this before the end of the access token spends the refresh token. None: it never does.
    earliest_refresh_s: float | None = None

    @property
    def has_host(self) -> bool:
        """Whether its sign-ins name the machine that they are for."""
        return self.registers or self.is_registered

    def registered(self) -> Client:
        """Return the client of one account."""
        client_id = f"sandbox-app-{secrets.token_urlsafe(9)}"
        return replace(self, client_id=client_id, registers=False, is_registered=True)

    def allows(self, redirect_uri: str, sandbox_origin: str) -> bool:
        """Whether the URI is registered, with any port for a loopback IP (RFC 8252 §7.3, RFC 9700 §2.1)."""
        registered = (sandbox_origin + uri if uri.startswith("/") else uri for uri in self.redirect_uris)
        return any(redirect_uri == uri or _same_but_port(redirect_uri, uri) for uri in registered)


PLAN_CLIENT = Client(
    NEW_CLIENT_ID,
    ("http://127.0.0.1/auth/callback",),
    ("openid", "profile", "email", "offline_access", INFERENCE),
    registers=True,
    resource="/v1",
    earliest_refresh_s=360.0,
)


def _same_but_port(asked: str, registered: str) -> bool:
    try:
        one, other = urlsplit(asked), urlsplit(registered)
        _ = one.port  # raises if it is invalid
    except ValueError:
        return False
    if other.hostname not in _LOOPBACK_LITERALS or one.hostname != other.hostname or "@" in one.netloc:
        return False
    if (one.scheme, one.path, one.query) != (other.scheme, other.path, other.query):
        return False
    return "#" not in asked
