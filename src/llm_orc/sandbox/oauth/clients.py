"""The clients that the sandbox's authorisation server knows, with their redirect URIs."""

from __future__ import annotations

from urllib.parse import urlsplit

from llm_orc.dataclass import dataclass

CLIENT_ID = "llm-orc-sandbox-client"
CALLBACK_PAGE = "/oauth/code/callback"  # shows the code, for clients that the browser can't reach
_LOOPBACK_LITERALS = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Client:
    """A public client: it has an id but no secret (RFC 6749 §2.1).

    A redirect URI that starts with `/` is a page of the sandbox itself.
    """

    client_id: str = CLIENT_ID
    redirect_uris: tuple[str, ...] = ("http://127.0.0.1/callback", "http://[::1]/callback", CALLBACK_PAGE)

    def allows(self, redirect_uri: str, sandbox_origin: str) -> bool:
        """Whether the URI is registered, with any port for a loopback IP (RFC 8252 §7.3, RFC 9700 §2.1)."""
        registered = (sandbox_origin + uri if uri.startswith("/") else uri for uri in self.redirect_uris)
        return any(redirect_uri == uri or _same_but_port(redirect_uri, uri) for uri in registered)


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
