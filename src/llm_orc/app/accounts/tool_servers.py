"""Sign-ins to servers of tools: they are stored under names of their own, beside those of providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.accounts.registration import open_registrations
from llm_orc.auth.oauth.client import OAuthClient

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry

_PREFIX = "mcp:"


def stored_name(server: str) -> str:
    """Return the name that the sign-in of an MCP server is stored under, such as `mcp:github`."""
    return f"{_PREFIX}{server}"


def server_of(provider: str) -> str | None:
    """Return the MCP server that this name of the store is for; None: it is a provider's."""
    return provider.removeprefix(_PREFIX) if provider.startswith(_PREFIX) else None


def client_of_entry(app: App, entry: Entry) -> OAuthClient | None:
    """Return our client at the authorisation server that the sign-in was made at.

    None: it is not known any more. Raises `CredentialStoreError`.
    """
    kept = open_registrations(app).newest(entry.provider, entry.account)
    if kept is None:
        return None
    return OAuthClient(entry.provider, kept.client_id, issuer=kept.issuer, resource=kept.resource or None)
